begin;

select
    listing_id,
    trending_score
from feed.trending_listings
where false;

rollback;
