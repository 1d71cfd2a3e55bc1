-- feed_quality of the last 28 days by city: few rows, for a chart.

create or replace view analytics.quality_by_city as
select
    f.city,
    sum(f.impression_count)::bigint as impression_count,
    sum(f.click_count)::bigint as click_count,
    sum(f.apply_count)::bigint as apply_count,
    sum(f.view_count)::bigint as view_count,
    sum(f.view_seconds) as view_seconds,
    sum(f.click_count)::double precision / nullif(sum(f.impression_count), 0)
        as click_through_rate,
    sum(f.apply_count)::double precision / nullif(sum(f.click_count), 0) as apply_rate,
    sum(f.view_seconds) / nullif(sum(f.view_count), 0) as average_seconds,
    max(t.click_through_target) as click_through_target,
    max(t.apply_target) as apply_target,
    max(t.seconds_target) as seconds_target
from analytics.feed_counts as f
cross join
    lateral (
        select
            max(r.target) filter (where r.measure = 'click_through_rate') as click_through_target,
            max(r.target) filter (where r.measure = 'apply_rate') as apply_target,
            max(r.target) filter (where r.measure = 'seconds_per_listing') as seconds_target
        from analytics.targets as r
    ) as t
where f.day > (now() at time zone 'UTC')::date - 28
group by f.city;

comment on view analytics.quality_by_city is
'feed_quality of the last 28 days, added up by city.
Example: select city, impression_count, click_through_rate from analytics.quality_by_city
order by impression_count desc;';
comment on column analytics.quality_by_city.city is 'Where the user is: as in feed_quality.';
comment on column analytics.quality_by_city.impression_count is
'Listings that were on a screen.';
comment on column analytics.quality_by_city.click_count is 'Counted clicks that belong to one.';
comment on column analytics.quality_by_city.apply_count is 'Applications that belong to one.';
comment on column analytics.quality_by_city.view_count is 'Viewed listings that belong to one.';
comment on column analytics.quality_by_city.view_seconds is 'Seconds of these views.';
comment on column analytics.quality_by_city.click_through_rate is
'click_count / impression_count; null without impressions.';
comment on column analytics.quality_by_city.apply_rate is
'apply_count / click_count; null without clicks.';
comment on column analytics.quality_by_city.average_seconds is
'view_seconds / view_count; null without views.';
comment on column analytics.quality_by_city.click_through_target is 'From analytics.targets.';
comment on column analytics.quality_by_city.apply_target is 'From analytics.targets.';
comment on column analytics.quality_by_city.seconds_target is
'From analytics.targets, in seconds.';
