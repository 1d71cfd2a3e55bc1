-- Makes a user known, once, and keeps them until the transaction ends.
--
-- Looks before it inserts: a conflict would use up a user_no each time. Whoever is just being
-- deleted is waited for, and known anew; whoever was found cannot be deleted before what is
-- written of them.
--
-- Called by   feed.record_interactions, api.track_impressions, api.upsert_users, the views'
--             triggers

create or replace function feed.ensure_user(user_uid uuid)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    loop
        perform
        from feed.users as u
        where u.user_uid = ensure_user.user_uid
        for key share;

        exit when found;

        insert into feed.users (user_uid)
        values (ensure_user.user_uid)
        on conflict do nothing;
    end loop;
end;
$$;

comment on function feed.ensure_user is 'Makes a row in feed.users if there is none, and
keeps it from being deleted until the transaction ends.';
