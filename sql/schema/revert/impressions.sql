begin;

drop table feed.feed_impressions;

commit;
