-- The claims of the request's token, as PostgREST verified them.
--
-- Called by   identity.user_uid

create or replace function identity.claims()
returns jsonb
language sql
stable
parallel safe
return nullif(current_setting('request.jwt.claims', true), '')::jsonb;

comment on function identity.claims is
'The verified claims of the request''s token; null outside a request.';
