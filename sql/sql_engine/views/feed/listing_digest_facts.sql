-- What the digest of a listing is made from.
--
-- Called by   feed.write_listing_digests

create or replace view feed.listing_digest_facts as
select
    l.listing_no,
    l.status = 'open' as is_open,
    feed.cell_no(p.lat, p.lon) as cell_no,
    cos(radians(p.lat)) * cos(radians(p.lon)) as x,
    cos(radians(p.lat)) * sin(radians(p.lon)) as y,
    sin(radians(p.lat)) as z,
    coalesce(m.engagement_score, 0) as engagement_score,
    extract(epoch from l.created_at)::double precision as created_epoch,
    l.created_at,
    coalesce(l.expires_at, 'infinity') as expires_at,
    l.poster_uid,
    array(
        select n.tag_no from feed.tag_numbers as n
        where n.tag = any(l.tags)
        order by n.tag_no
    ) as tag_nos
from feed.listings as l
left join feed.engagement_metrics as m using (listing_id)
cross join lateral (
    select
        ext.st_y(l.location::ext.geometry) as lat,
        ext.st_x(l.location::ext.geometry) as lon
    from (values (1)) as once (n)
    offset 0
) as p;

comment on view feed.listing_digest_facts is 'feed.listing_digests as they should be.';
comment on column feed.listing_digest_facts.listing_no is 'The listing.';
comment on column feed.listing_digest_facts.is_open is 'status is open.';
comment on column feed.listing_digest_facts.cell_no is 'feed.cell_no of its place.';
comment on column feed.listing_digest_facts.x is 'Unit vector of the place.';
comment on column feed.listing_digest_facts.y is 'Unit vector of the place.';
comment on column feed.listing_digest_facts.z is 'Unit vector of the place.';
comment on column feed.listing_digest_facts.engagement_score is '0 where there is none.';
comment on column feed.listing_digest_facts.created_epoch is 'created_at in seconds since 1970.';
comment on column feed.listing_digest_facts.created_at is 'As in feed.listings.';
comment on column feed.listing_digest_facts.expires_at is 'infinity for never.';
comment on column feed.listing_digest_facts.poster_uid is 'As in feed.listings.';
comment on column feed.listing_digest_facts.tag_nos is 'Numbers of its tags, ascending.';
