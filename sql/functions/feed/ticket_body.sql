-- What a ticket says, in characters that need no escaping in a URL.
--
-- Called by   api.get_feed

create or replace function feed.ticket_body(
    key_no integer,
    listing_id uuid,
    rank integer,
    score double precision,
    profile_name text,
    issued_at timestamptz,
    component_codes text default null
)
returns text
language sql
stable
parallel safe
return concat_ws(
    '.',
    key_no,
    replace(listing_id::text, '-', ''),
    rank,
    -- whole numbers, since a point divides: scores within 1e-9 are a tie anyway
    round(score * 1e9)::bigint,
    (extract(epoch from issued_at) * 1000000)::bigint,
    profile_name,
    component_codes
);

comment on function feed.ticket_body is
'KEY.LISTING.RANK.SCORE.TIME.PROFILE.COMPONENTS: the score in units of 1e-9, the time in
microseconds since 1970, the components as feed.ticket_components writes them. Without them the
last point is left out too. A ticket is this, a point and feed.ticket_signature.';
