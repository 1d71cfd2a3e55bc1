-- Takes users out of every model: their own rows, and their places in others' lists.
--
-- Own rows and lists are locked in one order before any is written, so that two users who are
-- in each other's lists and leave at once neither deadlock nor put one another back.
--
-- Called by   api.delete_my_data, the trigger on feed.users, python/pgfeed/publishing.py

create or replace function ml.forget_user(variadic user_nos integer[])
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- A model that is just being published is seen either here or there: the lock decides.
    perform ml.model_for_writing();

    delete from ml.user_vectors as v where v.user_no = any(user_nos);

    -- A statement of its own: those below then see the lists as others have left them.
    perform
    from ml.user_neighbors as n
    where
        n.user_no = any(user_nos)
        or n.neighbor_nos && user_nos
    order by n.model_id, n.user_no
    for update;

    delete from ml.user_neighbors as n where n.user_no = any(user_nos);

    update ml.user_neighbors as n
    set (neighbor_nos, similarities) = (
        select
            coalesce(array_agg(e.user_no order by e.place), '{}'),
            coalesce(array_agg(e.similarity order by e.place), '{}')
        from unnest(n.neighbor_nos, n.similarities) with ordinality
            as e (user_no, similarity, place)
        where e.user_no <> all(user_nos)
    )
    where n.neighbor_nos && user_nos;
end;
$$;

comment on function ml.forget_user is
'Takes these users (user_no) out of every model: their own rows and their places in the
neighbor lists of others.';

revoke execute on function ml.forget_user from public;
