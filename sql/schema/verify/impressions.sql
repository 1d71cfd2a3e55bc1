begin;

select
    ticket,
    user_uid,
    listing_id,
    position,
    score,
    profile_name,
    created_at
from feed.feed_impressions
where false;

rollback;
