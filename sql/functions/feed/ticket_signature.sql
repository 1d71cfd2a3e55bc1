-- The signature of a ticket: nobody can make one without the key.
--
-- The user is signed without being in the ticket, so that it is good for nobody else and, in
-- a log or an address, tells of nobody.
--
-- Called by   api.get_feed, api.track_impressions
-- Costs       about 5 microseconds

create or replace function feed.ticket_signature(secret bytea, user_uid uuid, body text)
returns text
language sql
stable
parallel safe
return translate(
    encode(
        substr(
            ext.hmac(convert_to(user_uid::text || '.' || body, 'UTF8'), secret, 'sha256'), 1, 16
        ),
        'base64'
    ),
    '+/=',
    '-_'
);

comment on function feed.ticket_signature is
'The first 128 bits of HMAC-SHA256 over the user and the body of a ticket, in base64url: 22
characters. Null without a secret.';
