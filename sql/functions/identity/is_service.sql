-- May the caller act for any user?
--
-- Called by   the api

create or replace function identity.is_service()
returns boolean
language sql
stable
parallel safe
return identity.caller_role() = 'service_role'
or pg_has_role(identity.caller_role(), 'feed_owner', 'usage');

comment on function identity.is_service is
'True for the application''s own role (service_role) and for whoever owns the tables.';
