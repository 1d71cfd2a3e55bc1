-- feed.ticket_signature: of the key, the user and every character of the body

begin;
select plan(7);

create function tests.signature(secret text, user_name text, body text)
returns text
language sql
return feed.ticket_signature(convert_to(secret, 'UTF8'), tests.user_uid(user_name), body);

-- Python: base64.urlsafe_b64encode(hmac.digest(b"secret", b"UID.body", "sha256")[:16])
select is(
    feed.ticket_signature('secret', '0f16cf0b-503b-45d9-a699-416cf95c11e1', 'body'),
    'DI2q3TAg2rHR2saN_ynoog',
    'it is HMAC-SHA256, cut to 128 bits, in base64url'
);
select
    ok(
        bool_and(tests.signature('secret', 'ann', n::text) ~ '^[A-Za-z0-9_-]{22}$'),
        'always 22 characters that need no escaping'
    )
from generate_series(1, 1000) as n;
select is(
    tests.signature('secret', 'ann', 'body'), tests.signature('secret', 'ann', 'body'), 'always'
);
select isnt(
    tests.signature('secret', 'ann', 'body'), tests.signature('Secret', 'ann', 'body'), 'of the key'
);
select isnt(
    tests.signature('secret', 'ann', 'body'), tests.signature('secret', 'bob', 'body'), 'the user'
);
select isnt(
    tests.signature('secret', 'ann', 'body'), tests.signature('secret', 'ann', 'Body'), 'the body'
);
select is(
    feed.ticket_signature(null, tests.user_uid('ann'), 'body'), null, 'without a key there is none'
);

select finish();
rollback;
