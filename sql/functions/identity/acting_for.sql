-- The user that a call is about: the caller, or whom service_role names.
--
-- Called by   api.get_feed, api.explain_listing

create or replace function identity.acting_for(user_uid uuid)
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    caller constant uuid := identity.user_uid();
begin
    if identity.is_service() then
        if coalesce(acting_for.user_uid, caller) is null then
            raise sqlstate 'PT400' using
                message = 'user_uid is missing',
                hint = 'Say for which user: user_uid=….';
        end if;

        if coalesce(acting_for.user_uid, caller) is distinct from caller and not exists (
            select from feed.users as u
            where u.user_uid = acting_for.user_uid
        ) then
            raise sqlstate 'PT404' using
                message = format('there is no user %s', acting_for.user_uid),
                hint = 'Make the user known with upsert_users first.';
        end if;

        return coalesce(acting_for.user_uid, caller);
    end if;

    if caller is null then
        raise sqlstate 'PT401' using
            message = 'nobody is signed in',
            hint = 'Send "Authorization: Bearer TOKEN" with the user''s token.';
    end if;

    if acting_for.user_uid <> caller then
        raise sqlstate 'PT403' using
            message = 'this is somebody else''s data',
            detail = 'user_uid is not the sub of the token.',
            hint = 'Leave user_uid out, or send your own.';
    end if;

    return caller;
end;
$$;

comment on function identity.acting_for is
'The user a call is about: the token''s sub; for service_role any known user. Raises PT400
without a user, PT401 without a token, PT403 for another user, PT404 for an unknown one.';
