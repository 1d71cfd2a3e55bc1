-- Takes users out of every model: their own rows, and their places in others' lists.
--
-- Rows are locked in one order, so that no two callers deadlock.
--
-- Called by   the trigger on feed.users, python/pgfeed/publishing.py

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
    delete from ml.user_neighbors as n where n.user_no = any(user_nos);

    with lists as materialized (
        select
            n.model_id,
            n.user_no
        from ml.user_neighbors as n
        where n.neighbor_nos && user_nos
        order by n.model_id, n.user_no
        for no key update
    )

    update ml.user_neighbors as n
    set
        neighbor_nos = kept.neighbor_nos,
        similarities = kept.similarities
    from lists as l
    inner join ml.user_neighbors as o using (model_id, user_no)
    cross join lateral (
        select
            coalesce(array_agg(e.user_no order by e.place), '{}') as neighbor_nos,
            coalesce(array_agg(e.similarity order by e.place), '{}') as similarities
        from unnest(o.neighbor_nos, o.similarities) with ordinality
            as e (user_no, similarity, place)
        where e.user_no <> all(user_nos)
    ) as kept
    where n.model_id = l.model_id and n.user_no = l.user_no;
end;
$$;

comment on function ml.forget_user is
'Takes these users (user_no) out of every model: their own rows and their places in the
neighbor lists of others.';

revoke execute on function ml.forget_user from public;
