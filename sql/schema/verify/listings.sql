begin;

select
    listing_id,
    listing_no,
    poster_uid,
    external_id,
    title,
    description,
    url,
    image_url,
    attributes,
    tags,
    location,
    compensation,
    currency,
    status,
    created_at,
    expires_at,
    changed_xid
from feed.listings
where false;

select 1 / count(*) from pg_catalog.pg_indexes
where
    schemaname = 'feed'
    and indexname in ('listings_place_idx', 'listings_tags_idx', 'listings_newest_idx')
having count(*) = 3;

rollback;
