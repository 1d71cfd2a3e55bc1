begin;

drop table feed.ranking_profiles;

commit;
