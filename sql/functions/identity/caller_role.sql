-- The role that the request runs as.
--
-- Inside a definer function current_user is the owner, whereas the setting "role" still
-- is what PostgREST set for the request: no claim, so a client cannot choose it.
--
-- Called by   identity.is_service

create or replace function identity.caller_role()
returns name
language sql
stable
parallel safe
return case current_setting('role')
    when 'none' then session_user
    else current_setting('role')::name
end;

comment on function identity.caller_role is
'The role of the request, also inside a security definer function.';
