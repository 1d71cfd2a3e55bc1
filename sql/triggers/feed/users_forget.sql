-- feed.users -> ml
--
-- The foreign keys take a deleted user's own rows along; their places in the neighbor
-- lists of others are taken out here.

create or replace function feed.tg_users__forget()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    user_nos integer [];
begin
    select array_agg(o.user_no) into user_nos from old_rows as o;

    if user_nos is not null then
        perform ml.forget_user(variadic user_nos);
    end if;

    return null;
end;
$$;

comment on function feed.tg_users__forget is
'Takes deleted users out of the neighbor lists of others.';

revoke execute on function feed.tg_users__forget from public;

create or replace trigger t50_forget
after delete on feed.users
referencing old table as old_rows
for each statement
execute function feed.tg_users__forget();
