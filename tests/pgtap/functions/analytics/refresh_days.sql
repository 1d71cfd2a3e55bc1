-- analytics.refresh_days, and the views of what it stores: daily_metrics, feed_quality, funnel

begin;
select plan(17);

select tests.user('ann', lat => 47.37, lon => 8.54);
select tests.user('bob');
select tests.listing('bicycle', poster => 'pat', created_at => '2026-06-01 01:00Z');
select tests.listing('kayak', created_at => '2026-05-01 01:00Z');
update feed.users set created_at = '2026-06-01 05:00Z'
where user_uid = tests.user_uid('ann');
update feed.users set created_at = '2026-05-31 23:59:59Z'
where user_uid = tests.user_uid('bob');
insert into analytics.cities (city, center, user_count)
values ('Zürich', ext.st_setsrid(ext.st_makepoint(8.5, 47.4), 4326), 5);

-- two feeds of ann's, one of bob's
select tests.impression('ann', 'bicycle', '2026-06-01 08:00Z', 1);
select tests.impression('ann', 'kayak', '2026-06-01 08:00Z', 2);
select tests.impression('bob', 'bicycle', '2026-06-01 09:00Z', 3);
select tests.impression('ann', 'bicycle', '2026-06-01 12:00Z', 5);

-- one view of 15 seconds, one click: the others are of the same hour
select tests.interaction(
    'ann', 'bicycle', 'view', '2026-06-01 08:01Z', metadata => '{"seconds": 10}'
);
select tests.interaction(
    'ann', 'bicycle', 'view', '2026-06-01 08:59Z', metadata => '{"seconds": 5}'
);
select tests.interaction('ann', 'bicycle', 'click', '2026-06-01 08:02Z');
select tests.interaction('ann', 'bicycle', 'click', '2026-06-01 08:05Z');
-- from the second feed
select tests.interaction('ann', 'bicycle', 'click', '2026-06-01 12:30Z', event => 'second click');
select tests.interaction('ann', 'bicycle', 'apply', '2026-06-01 13:00Z');
-- what the feed never showed to bob
select tests.interaction('bob', 'kayak', 'view', '2026-06-01 10:00Z');
select tests.interaction('bob', 'kayak', 'click', '2026-06-01 10:00Z');
select tests.interaction('bob', 'kayak', 'save', '2026-06-01 10:01Z');
select tests.interaction('bob', 'kayak', 'share', '2026-06-01 10:02Z');
select tests.interaction('bob', 'bicycle', 'dismiss', '2026-06-01 10:03Z');
-- the poster's own
select tests.interaction('pat', 'bicycle', 'view', '2026-06-01 10:00Z');
-- the day after, of what was shown the day before
select tests.interaction('ann', 'kayak', 'click', '2026-06-02 07:00Z', event => 'late click');

set local timezone = 'Pacific/Kiritimati';
select analytics.refresh_days('2026-06-01', '2026-06-03');

select results_eq(
    $$
    select
        day, impression_count, view_count, view_seconds, click_count, attributed_click_count,
        apply_count, save_count, share_count, dismiss_count, active_users, new_users, new_listings
    from analytics.daily_metrics
    order by day
    $$,
    $$
    values
    (
        '2026-06-01'::date, 4::bigint, 2::bigint, 15::double precision, 3::bigint, 2::bigint,
        1::bigint, 1::bigint, 1::bigint, 1::bigint, 2::bigint, 1::bigint, 1::bigint
    ),
    ('2026-06-02', 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0),
    ('2026-06-03', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    $$,
    'what counts of each day, days without anything too, whatever the session''s time zone'
);
select results_eq(
    $$
    select
        day, click_through_rate, apply_rate, seconds_per_listing,
        click_through_target, apply_target, seconds_target
    from analytics.daily_metrics
    order by day
    $$,
    $$
    values
    (
        '2026-06-01'::date, 0.5::double precision, 1::double precision / 3,
        7.5::double precision, 0.05::double precision, 0.10::double precision,
        30::double precision
    ),
    ('2026-06-02', null, 0, null, 0.05, 0.10, 30),
    ('2026-06-03', null, null, null, 0.05, 0.10, 30)
    $$,
    'clicks on what was shown over impressions, applications over clicks, seconds over views'
);
select results_eq(
    $$
    select
        day, profile_name, "position", city, impression_count, click_count, apply_count,
        view_count, view_seconds
    from analytics.feed_quality
    order by day, "position"
    $$,
    $$
    values
    (
        '2026-06-01'::date, 'default', 1, 'Zürich', 1::bigint, 1::bigint, 0::bigint,
        1::bigint, 15::double precision
    ),
    ('2026-06-01', 'default', 2, 'Zürich', 1, 0, 0, 0, 0),
    ('2026-06-01', 'default', 3, 'unknown', 1, 0, 0, 0, 0),
    ('2026-06-01', 'default', 5, 'Zürich', 1, 1, 1, 0, 0),
    ('2026-06-02', 'default', 2, 'Zürich', 0, 1, 0, 0, 0)
    $$,
    'an interaction belongs to the latest impression before it, and to its own day'
);
select results_eq(
    $$
    select click_through_rate, apply_rate, average_seconds
    from analytics.feed_quality
    order by day, "position"
    $$,
    $$
    values
    (1::double precision, 0::double precision, 15::double precision),
    (0, null, null),
    (0, null, null),
    (1, 1, null),
    (null, 0, null)
    $$,
    'rates are null where there is nothing to divide by'
);
select results_eq(
    $$
    select stage, stage_no, event_count, user_count from analytics.funnel
    where day = '2026-06-01' order by stage_no
    $$,
    $$
    values
    ('impression', 1, 4::bigint, 2::bigint),
    ('view', 2, 2, 2),
    ('click', 3, 3, 2),
    ('save', 4, 1, 1),
    ('share', 5, 1, 1),
    ('apply', 6, 1, 1),
    ('dismiss', 7, 1, 1)
    $$,
    'the funnel has events and users of every stage'
);
select results_eq(
    $$select distinct refreshed_at > now() - interval '1 minute' from analytics.feed_quality$$,
    'values (true)',
    'and when it was counted is shown'
);

-- what counts is the same as for the counters
select results_eq(
    $$
    select stage, sum(event_count)::bigint from analytics.funnel
    where stage <> 'impression' group by stage order by stage
    $$,
    $$
    select type::text, count(*) from feed.counted_interactions('2026-05-31', '2026-06-04')
    group by type order by type::text
    $$,
    'the days add up to feed.counted_interactions'
);

-- again: nothing is written but the time
create temporary table before as
select f.ctid as place, f.* from analytics.feed_counts as f;
select is(
    analytics.refresh_days('2026-06-01', '2026-06-03'),
    3::bigint,
    'a second time only the days'' own rows are written'
);
select set_eq(
    'select f.ctid as place, f.* from analytics.feed_counts as f',
    'select * from before',
    'and those of the feed stay where they are'
);

-- taken back
select tests.undo('second click');
select tests.undo('late click');
select analytics.refresh_days('2026-06-01', '2026-06-02');

select results_eq(
    $$
    select click_count, attributed_click_count, click_through_rate
    from analytics.daily_metrics where day < '2026-06-03' order by day
    $$,
    $$
    values
    (2::bigint, 1::bigint, 0.25::double precision),
    (0, 0, null)
    $$,
    'what was taken back is gone from its day'
);
select is_empty(
    $$select from analytics.feed_quality where day = '2026-06-02'$$,
    'also the row that held nothing else'
);

-- a day that is not refreshed keeps its numbers
select tests.impression('bob', 'kayak', '2026-06-01 11:00Z', 1);
select analytics.refresh_days('2026-06-02', '2026-06-02');
select is(
    (
        select d.impression_count from analytics.daily_metrics as d
        where d.day = '2026-06-01'
    ),
    4::bigint,
    'other days stay as they are'
);
select analytics.refresh_days('2026-06-01', '2026-06-01');
select is(
    (
        select d.impression_count from analytics.daily_metrics as d
        where d.day = '2026-06-01'
    ),
    5::bigint,
    'until they are counted'
);

-- small numbers of people have no city of their own
update analytics.cities set user_count = 4;
select analytics.refresh_days('2026-06-01', '2026-06-02');
select set_eq(
    'select city from analytics.feed_quality',
    $$values ('elsewhere'), ('unknown')$$,
    'a city with too few users is not named'
);

-- of these days, added up
update analytics.feed_counts set day = analytics.day_of(now()) - (day - date '2026-06-01') - 1;
select results_eq(
    $$
    select "position", impression_count, click_count, click_through_rate
    from analytics.quality_by_position order by "position"
    $$,
    $$
    values
    (1, 2::bigint, 1::bigint, 0.5::double precision),
    (2, 1, 0, 0),
    (3, 1, 0, 0),
    (5, 1, 0, 0)
    $$,
    'by position'
);
select results_eq(
    $$
    select city, impression_count, apply_count, average_seconds
    from analytics.quality_by_city order by city
    $$,
    $$
    values
    ('elsewhere', 3::bigint, 1::bigint, 15::double precision),
    ('unknown', 2, 0, null)
    $$,
    'by city'
);
select results_eq(
    $$select profile_name, impression_count from analytics.quality_by_profile$$,
    $$values ('default', 5::bigint)$$,
    'by profile'
);

select finish();
rollback;
