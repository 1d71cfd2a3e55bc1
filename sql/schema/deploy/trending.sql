-- The trending listings, materialised.
--
-- Closed and expired ones are filtered when read, so the view need not be refreshed
-- for a listing to leave it.

begin;
set local role feed_owner;

create materialized view feed.trending_listings as
select
    m.listing_id,
    l.listing_no,
    m.trending_score
from feed.engagement_metrics as m
inner join feed.listings as l using (listing_id)
where
    m.trending_score > 0
    and l.status = 'open'
order by m.trending_score desc, m.listing_id asc
limit 10000;

comment on materialized view feed.trending_listings is
'The 10,000 listings with the highest trending_score, as of the last refresh.';
comment on column feed.trending_listings.listing_id is 'The listing.';
comment on column feed.trending_listings.listing_no is
'The listing''s number: a client''s filter may look up every one of them, and a number is found in
two thirds of the time of an id.';
comment on column feed.trending_listings.trending_score is
'feed.engagement_metrics.trending_score at the last refresh.';

create unique index trending_listings_listing_idx on feed.trending_listings (listing_id);
comment on index feed.trending_listings_listing_idx is 'Lets the view refresh concurrently.';

create index trending_listings_score_idx on feed.trending_listings (trending_score desc);
comment on index feed.trending_listings_score_idx is 'Serves api.trending in its natural order.';

commit;
