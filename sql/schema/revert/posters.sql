begin;

drop table feed.posters;

commit;
