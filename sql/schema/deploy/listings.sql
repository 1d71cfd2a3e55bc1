-- Listings.

begin;
set local role feed_owner;

create type feed.listing_status as enum ('open', 'closed');
comment on type feed.listing_status is 'open: may be in a feed; closed: never.';

create table feed.listings (
    listing_id uuid primary key default gen_random_uuid(),
    listing_no integer generated always as identity unique,
    poster_uid uuid references feed.posters on delete set null,
    external_id text
    constraint external_id_is_not_too_long check (length(external_id) <= 200),
    title text not null
    constraint title_has_1_to_300_characters
    check (length(title) <= 300 and title ~ '\S'),
    description text
    constraint description_is_not_too_long check (length(description) <= 20000),
    url text
    constraint url_is_http check (url ~* '^https?://\S+$' and length(url) <= 2000),
    image_url text
    constraint image_url_is_http check (
        image_url ~* '^https?://\S+$' and length(image_url) <= 2000
    ),
    attributes jsonb not null default '{}'
    constraint attributes_are_an_object check (jsonb_typeof(attributes) = 'object')
    -- They are in every answer that has the listing: 200 of a feed are to be a few megabytes.
    constraint attributes_are_at_most_16_kilobytes check (octet_length(attributes::text) <= 16384),
    tags text[] not null default '{}'
    constraint tags_are_normalized check (tags = feed.normalized_tags(tags))
    -- A tag is a key of two indexes, and an entry of an index has room for 2,700 bytes.
    constraint tags_are_lines_of_at_most_200_characters check (
        array_to_string(tags, e'\n') !~ '[^\n]{201}'
        and cardinality(string_to_array(array_to_string(tags, e'\n'), e'\n')) = cardinality(tags)
    ),
    location ext.geography(point, 4326)
    constraint listing_location_is_not_empty check (not ext.st_isempty(location::ext.geometry)),
    compensation numeric(14, 2)
    constraint listing_compensation_is_not_negative
    check (compensation >= 0 and compensation <> 'NaN'),
    currency text
    constraint currency_is_an_iso_4217_code check (currency ~ '^[A-Z]{3}$'),
    status feed.listing_status not null default 'open',
    created_at timestamptz not null default now()
    constraint listing_created_at_is_finite check (isfinite(created_at)),
    expires_at timestamptz,
    changed_xid xid8 not null default pg_current_xact_id(),
    constraint listings_external_id_key unique (poster_uid, external_id)
);

comment on table feed.listings is 'What is offered: jobs, gigs, events, things.';
comment on column feed.listings.listing_id is 'The listing''s id outside.';
comment on column feed.listings.listing_no is 'Dense number: the column of every matrix.';
comment on column feed.listings.poster_uid is
'Who posted it, for good; null if unknown, or if their data were deleted.';
comment on column feed.listings.external_id is 'The id in the poster''s own system.';
comment on column feed.listings.title is 'One line.';
comment on column feed.listings.description is 'Plain text.';
comment on column feed.listings.url is 'Where it can be read in full.';
comment on column feed.listings.image_url is 'A picture.';
comment on column feed.listings.attributes is
'Whatever the marketplace shows beside it; not ranked.';
comment on column feed.listings.tags is 'Normalised: feed.normalized_tags.';
comment on column feed.listings.location is 'Where it takes place; null for remote.';
comment on column feed.listings.compensation is 'Pay or price, in currency.';
comment on column feed.listings.currency is 'ISO 4217.';
comment on column feed.listings.status is 'open or closed.';
comment on column feed.listings.created_at is
'Set by the server at the first write; never renewed.';
comment on column feed.listings.expires_at is 'From then on it is in no feed; null for never.';
comment on column feed.listings.changed_xid is
'Transaction that last changed what is ranked; tells training what it has not seen.';
comment on index feed.listings_pkey is 'Serves every look-up of a listing by its id.';
comment on index feed.listings_listing_no_key is 'Serves the matrices: listing_no to the listing.';
comment on index feed.listings_external_id_key is
'Serves upserts by the poster''s own id, and a poster''s listings.';

create index listings_place_idx on feed.listings using gist (location) where status = 'open';
comment on index feed.listings_place_idx is 'Serves scoring within max_distance.';

create index listings_tags_idx on feed.listings using gin (tags);
comment on index feed.listings_tags_idx is 'Serves clients that filter api.listings by tag.';

create index listings_newest_idx on feed.listings (created_at desc, listing_id);
comment on index feed.listings_newest_idx is
'Serves clients that page through api.listings, newest first.';

commit;
