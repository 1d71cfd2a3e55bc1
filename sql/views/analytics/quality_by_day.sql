-- feed_quality by day and profile: few rows, for a chart.

create or replace view analytics.quality_by_day as
select
    q.day,
    q.profile_name,
    q.impression_count,
    q.click_count,
    q.apply_count,
    q.view_count,
    q.view_seconds,
    q.click_count::double precision / nullif(q.impression_count, 0) as click_through_rate,
    q.apply_count::double precision / nullif(q.click_count, 0) as apply_rate,
    q.view_seconds / nullif(q.view_count, 0) as average_seconds,
    t.click_through_target,
    t.apply_target,
    t.seconds_target,
    d.refreshed_at
from (
    select
        f.day,
        f.profile_name,
        sum(f.impression_count)::bigint as impression_count,
        sum(f.click_count)::bigint as click_count,
        sum(f.apply_count)::bigint as apply_count,
        sum(f.view_count)::bigint as view_count,
        sum(f.view_seconds) as view_seconds
    from analytics.feed_counts as f
    group by f.day, f.profile_name
) as q
inner join analytics.daily_counts as d using (day)
cross join
    lateral (
        select
            max(r.target) filter (where r.measure = 'click_through_rate') as click_through_target,
            max(r.target) filter (where r.measure = 'apply_rate') as apply_target,
            max(r.target) filter (where r.measure = 'seconds_per_listing') as seconds_target
        from analytics.targets as r
    ) as t;

comment on view analytics.quality_by_day is
'What the feed showed on each day (UTC) and what came of it, by ranking profile: feed_quality added
up over positions and cities. Only interactions that belong to an impression are in it.
Example: select day, impression_count, click_through_rate from analytics.quality_by_day
where profile_name = ''default'' and day >= current_date - 30 order by day;';
comment on column analytics.quality_by_day.day is 'The day, UTC.';
comment on column analytics.quality_by_day.profile_name is 'The ranking profile that was used.';
comment on column analytics.quality_by_day.impression_count is 'Listings that were on a screen.';
comment on column analytics.quality_by_day.click_count is 'Counted clicks that belong to one.';
comment on column analytics.quality_by_day.apply_count is 'Applications that belong to one.';
comment on column analytics.quality_by_day.view_count is 'Viewed listings that belong to one.';
comment on column analytics.quality_by_day.view_seconds is 'Seconds of these views.';
comment on column analytics.quality_by_day.click_through_rate is
'click_count / impression_count; null without impressions.';
comment on column analytics.quality_by_day.apply_rate is
'apply_count / click_count; null without clicks.';
comment on column analytics.quality_by_day.average_seconds is
'view_seconds / view_count; null without views.';
comment on column analytics.quality_by_day.click_through_target is 'From analytics.targets.';
comment on column analytics.quality_by_day.apply_target is 'From analytics.targets.';
comment on column analytics.quality_by_day.seconds_target is 'From analytics.targets, in seconds.';
comment on column analytics.quality_by_day.refreshed_at is 'When this day was counted last.';
