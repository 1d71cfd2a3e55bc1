-- What the feed showed and what came of it, by profile, position and city.

create or replace view analytics.feed_quality as
select
    f.day,
    f.profile_name,
    f.position,
    f.city,
    f.impression_count,
    f.click_count,
    f.apply_count,
    f.view_count,
    f.view_seconds,
    f.click_count::double precision / nullif(f.impression_count, 0) as click_through_rate,
    f.apply_count::double precision / nullif(f.click_count, 0) as apply_rate,
    f.view_seconds / nullif(f.view_count, 0) as average_seconds,
    t.click_through_target,
    t.apply_target,
    t.seconds_target,
    d.refreshed_at
from analytics.feed_counts as f
inner join analytics.daily_counts as d using (day)
cross join
    lateral (
        select
            max(r.target) filter (where r.measure = 'click_through_rate') as click_through_target,
            max(r.target) filter (where r.measure = 'apply_rate') as apply_target,
            max(r.target) filter (where r.measure = 'seconds_per_listing') as seconds_target
        from analytics.targets as r
    ) as t;

comment on view analytics.feed_quality is
'What the feed showed on each day (UTC), and what came of it, by ranking profile, position and
city. An interaction belongs to the user''s latest impression of that listing at or before it, if
that is not older than analytics.refresh_parameters.attribution_window (7 days); it has the
impression''s profile and position, and its own day. Interactions without an impression are in
daily_metrics only. Stored hourly by jobs.refresh_analytics. Sum the counts, then divide.
Example: select profile_name, position, sum(click_count) / sum(impression_count) as rate
from analytics.feed_quality where day >= current_date - 28 group by profile_name, position
order by profile_name, position;';
comment on column analytics.feed_quality.day is 'The day (UTC) of the impression or interaction.';
comment on column analytics.feed_quality.profile_name is 'The ranking profile that was used.';
comment on column analytics.feed_quality.position is 'Rank on the page, from 1.';
comment on column analytics.feed_quality.city is
'Where the user is: the nearest city within 50 km that has at least 5 users, elsewhere, or unknown
without a location. Days keep the city that the user had when they were counted last.';
comment on column analytics.feed_quality.impression_count is 'Listings that were on a screen.';
comment on column analytics.feed_quality.click_count is 'Counted clicks that belong to one.';
comment on column analytics.feed_quality.apply_count is 'Applications that belong to one.';
comment on column analytics.feed_quality.view_count is 'Viewed listings that belong to one.';
comment on column analytics.feed_quality.view_seconds is 'Seconds of these views.';
comment on column analytics.feed_quality.click_through_rate is
'click_count / impression_count; null without impressions. On a single day it may exceed 1: a
click can follow an impression of the day before.';
comment on column analytics.feed_quality.apply_rate is
'apply_count / click_count; null without clicks.';
comment on column analytics.feed_quality.average_seconds is
'view_seconds / view_count; null without views.';
comment on column analytics.feed_quality.click_through_target is 'From analytics.targets.';
comment on column analytics.feed_quality.apply_target is 'From analytics.targets.';
comment on column analytics.feed_quality.seconds_target is 'From analytics.targets, in seconds.';
comment on column analytics.feed_quality.refreshed_at is 'When this day was counted last.';
