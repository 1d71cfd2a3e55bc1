-- api.preferences -> feed.users, feed.user_feed_preferences
--
-- Runs with the rights of the caller: the policies of both tables decide.

create or replace function api.tg_preferences__write()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if new.user_uid is distinct from old.user_uid then
        raise sqlstate 'PT400' using
            message = 'user_uid cannot be changed',
            hint = 'Leave it out.';
    end if;

    perform feed.ensure_user(old.user_uid);

    if (new.lat, new.lon) is distinct from (old.lat, old.lon) then
        update feed.users as u
        set location = feed.make_point(new.lat, new.lon)
        where u.user_uid = old.user_uid;
    end if;

    perform feed.write_preferences(
        old.user_uid, to_jsonb(new) - array['user_uid', 'lat', 'lon', 'updated_at']
    );

    select p.preferred_tags, p.blocked_tags, p.personalization_enabled, p.updated_at
    into new.preferred_tags, new.blocked_tags, new.personalization_enabled, new.updated_at
    from feed.user_feed_preferences as p
    where p.user_uid = old.user_uid;

    return new;
end;
$$;

comment on function api.tg_preferences__write is
'Writes a changed row of api.preferences to its two tables, with the rights of the caller.';

create or replace trigger t50_write
instead of update on api.preferences
for each row
execute function api.tg_preferences__write();
