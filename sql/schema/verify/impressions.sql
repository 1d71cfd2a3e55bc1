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

select 1 / count(*) from feed.ticket_keys
where octet_length(secret) >= 32;

rollback;
