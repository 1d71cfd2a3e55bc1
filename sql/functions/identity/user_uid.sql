-- Who is asking: the token's sub.
--
-- A sub that is no uuid is nobody here; identity.check_request refuses such a token at
-- the door.
--
-- Called by   the policies, the api

create or replace function identity.user_uid()
returns uuid
language sql
stable
parallel safe
return case
    when identity.claims() ->> 'sub' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        then (identity.claims() ->> 'sub')::uuid
end;

comment on function identity.user_uid is 'The user of the request''s token; null for nobody.';
