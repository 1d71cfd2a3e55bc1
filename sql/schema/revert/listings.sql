begin;

drop table feed.listings;
drop type feed.listing_status;

commit;
