-- Makes a user known, once.
--
-- Looks before it inserts: a conflict would use up a user_no each time.
--
-- Called by   feed.record_interactions, api.upsert_users, the views' triggers

create or replace function feed.ensure_user(user_uid uuid)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (
        select from feed.users as u
        where u.user_uid = ensure_user.user_uid
    ) then
        insert into feed.users (user_uid)
        values (ensure_user.user_uid)
        on conflict do nothing;
    end if;
end;
$$;

comment on function feed.ensure_user is 'Makes a row in feed.users if there is none.';
