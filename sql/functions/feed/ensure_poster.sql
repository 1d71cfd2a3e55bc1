-- Makes a user a poster: the caller themselves, or anybody for service_role.
--
-- Definer, since a poster's counts are not the poster's to write.
--
-- Called by   api.tg_listings__insert, api.upsert_listings

create or replace function feed.ensure_poster(poster_uid uuid)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if not identity.is_service() and poster_uid is distinct from identity.user_uid() then
        raise sqlstate 'PT403' using
            message = 'a user posts as themselves only',
            hint = 'Leave poster_uid out.';
    end if;

    perform feed.ensure_user(poster_uid);

    insert into feed.posters (poster_uid)
    values (ensure_poster.poster_uid)
    on conflict do nothing;
end;
$$;

comment on function feed.ensure_poster is
'Makes rows in feed.users and feed.posters if there are none. Definer: refuses (PT403) a
poster_uid that is not the caller''s own unless the caller is service_role.';
