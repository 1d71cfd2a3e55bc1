-- Names of rows: a test says 'ann' and 'bicycle', the tables hold uuids made of these.

create or replace function tests.named_uuid(kind text, name text)
returns uuid
language sql
immutable
return (
    -- uuid5: SHA-1 of the name in the namespace of URLs, with version and variant set
    select
        encode(
            set_byte(
                set_byte(h.bytes, 6, (get_byte(h.bytes, 6) & 15) | 80),
                8,
                (get_byte(h.bytes, 8) & 63) | 128
            ),
            'hex'
        )::uuid
    from (
        select
            substr(
                ext.digest(
                    '\x6ba7b8119dad11d180b400c04fd430c8'::bytea
                    || convert_to(
                        'pgfeed:' || named_uuid.kind || '/' || named_uuid.name, 'UTF8'
                    ),
                    'sha1'
                ),
                1,
                16
            ) as bytes
    ) as h
);

comment on function tests.named_uuid is 'uuid5 of pgfeed:KIND/NAME.';

create or replace function tests.user_uid(name text)
returns uuid
language sql
immutable
return tests.named_uuid('user', user_uid.name);

comment on function tests.user_uid is 'The uuid of the user with this name.';

create or replace function tests.listing_id(name text)
returns uuid
language sql
immutable
return tests.named_uuid('listing', listing_id.name);

comment on function tests.listing_id is 'The uuid of the listing with this name.';

create or replace function tests.event_id(name text)
returns uuid
language sql
immutable
return tests.named_uuid('event', event_id.name);

comment on function tests.event_id is 'The uuid of the event with this name.';

create or replace function tests.user_no(name text)
returns integer
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
return (
    select u.user_no
    from feed.users as u
    where u.user_uid = tests.user_uid(user_no.name)
);

comment on function tests.user_no is 'The dense number of the user with this name.';

create or replace function tests.listing_no(name text)
returns integer
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
return (
    select l.listing_no
    from feed.listings as l
    where l.listing_id = tests.listing_id(listing_no.name)
);

comment on function tests.listing_no is 'The dense number of the listing with this name.';
