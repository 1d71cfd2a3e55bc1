-- Refuses a user's token that names no user, before anything else runs.
--
-- Called by   PostgREST: db-pre-request

create or replace function identity.check_request()
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if identity.caller_role() = 'authenticated' and identity.user_uid() is null then
        raise sqlstate 'PT401' using
            message = 'the token names no user',
            detail = 'Its claim "sub" is missing or is not a uuid.',
            hint = 'Send a token whose "sub" is the uuid of the user.';
    end if;
end;
$$;

comment on function identity.check_request is
'Runs before every request: a token of role authenticated must name its user.';
