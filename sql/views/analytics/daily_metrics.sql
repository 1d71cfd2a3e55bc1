-- What happened on each day, with the three rates beside their targets.

create or replace view analytics.daily_metrics as
select
    c.day,
    c.impression_count,
    c.click_count,
    c.apply_count,
    c.save_count,
    c.share_count,
    c.dismiss_count,
    c.view_count,
    c.view_seconds,
    c.active_user_count as active_users,
    c.new_user_count as new_users,
    c.new_listing_count as new_listings,
    c.attributed_click_count,
    c.attributed_click_count::double precision / nullif(c.impression_count, 0)
        as click_through_rate,
    t.click_through_target,
    c.apply_count::double precision / nullif(c.click_count, 0) as apply_rate,
    t.apply_target,
    c.view_seconds / nullif(c.view_count, 0) as seconds_per_listing,
    t.seconds_target,
    c.refreshed_at
from analytics.daily_counts as c
cross join
    lateral (
        select
            max(r.target) filter (where r.measure = 'click_through_rate') as click_through_target,
            max(r.target) filter (where r.measure = 'apply_rate') as apply_target,
            max(r.target) filter (where r.measure = 'seconds_per_listing') as seconds_target
        from analytics.targets as r
    ) as t;

comment on view analytics.daily_metrics is
'What happened on each day (UTC), and the three rates beside their targets. Stored hourly by
jobs.refresh_analytics; see refreshed_at. A day may change for eight days, since offline clients
send late; longer ago, it stays even when the log''s rows are dropped. Over several days sum the
counts, then divide.
Example: select day, click_through_rate, apply_rate, seconds_per_listing
from analytics.daily_metrics where day >= current_date - 30 order by day;';
comment on column analytics.daily_metrics.day is 'The day, UTC.';
comment on column analytics.daily_metrics.impression_count is
'Listings that were on a screen, each time a feed was shown, by the day of the feed.';
comment on column analytics.daily_metrics.click_count is
'Counted clicks, from wherever: one a user, listing and UTC hour.';
comment on column analytics.daily_metrics.apply_count is
'Applications: the first of a user to a listing.';
comment on column analytics.daily_metrics.save_count is 'Saves: the first of a user and listing.';
comment on column analytics.daily_metrics.share_count is
'Counted shares: one a user, listing and UTC hour.';
comment on column analytics.daily_metrics.dismiss_count is
'Dismissals: the first of a user and listing.';
comment on column analytics.daily_metrics.view_count is
'Viewed listings: one a user, listing and UTC hour.';
comment on column analytics.daily_metrics.view_seconds is
'Seconds of the views; one that said nothing of its seconds adds none.';
comment on column analytics.daily_metrics.active_users is
'Users with an impression or a counted interaction.';
comment on column analytics.daily_metrics.new_users is 'Users who became known.';
comment on column analytics.daily_metrics.new_listings is 'Listings that were posted.';
comment on column analytics.daily_metrics.attributed_click_count is
'Counted clicks on what the feed had shown to the user before: those of feed_quality.';
comment on column analytics.daily_metrics.click_through_rate is
'attributed_click_count / impression_count; null without impressions. Clicks elsewhere (trending,
links, lists of one''s own) have no impression and do not enter.';
comment on column analytics.daily_metrics.click_through_target is 'From analytics.targets.';
comment on column analytics.daily_metrics.apply_rate is
'apply_count / click_count; null without clicks.';
comment on column analytics.daily_metrics.apply_target is 'From analytics.targets.';
comment on column analytics.daily_metrics.seconds_per_listing is
'view_seconds / view_count; null without views.';
comment on column analytics.daily_metrics.seconds_target is 'From analytics.targets, in seconds.';
comment on column analytics.daily_metrics.refreshed_at is 'When this day was counted last.';
