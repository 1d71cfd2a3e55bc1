begin;

select
    listing_id,
    listing_no,
    trending_score
from feed.trending_listings
where false;

rollback;
