begin;

drop table feed.engagement_scale;
drop table feed.engagement_base;
drop table feed.engagement_metrics;

commit;
