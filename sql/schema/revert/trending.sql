begin;

drop materialized view feed.trending_listings;

commit;
