begin;

select components
from feed.feed_impressions
where false;

rollback;
