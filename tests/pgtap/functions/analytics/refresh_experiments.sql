-- analytics.refresh_experiments, and the view of what it stores

begin;
select plan(15);

select tests.listing('listing ' || n, created_at => '2026-05-01 01:00Z')
from generate_series(1, 5) as n;
select tests.user(n.name)
from unnest('{ann,bob,cid,dan,eve}'::text[]) as n (name);
insert into feed.ranking_profiles (profile_name)
values ('calm'), ('bold');
insert into feed.experiments (profile_name, buckets, started_at)
values ('calm', '[0,250)', '2026-06-01 00:00Z');

-- whom each profile showed what: user, profile, listings, clicked, applied
create temporary table shown (
    user_name text, profile_name text, seen integer, clicked integer, applied integer
);
insert into shown
values
('ann', 'default', 2, 1, 0),
('bob', 'default', 2, 0, 0),
('cid', 'default', 4, 2, 1),
('dan', 'calm', 3, 3, 1),
('eve', 'calm', 1, 1, 1);
select tests.impression(s.user_name, 'listing ' || n, '2026-06-01 08:00Z', n, s.profile_name)
from shown as s
cross join lateral generate_series(1, s.seen) as n;
select tests.interaction(s.user_name, 'listing ' || n, 'click', '2026-06-01 09:00Z')
from shown as s
cross join lateral generate_series(1, s.clicked) as n;
select tests.interaction(s.user_name, 'listing ' || n, 'apply', '2026-06-01 09:30Z')
from shown as s
cross join lateral generate_series(1, s.applied) as n;
select tests.interaction('ann', 'listing 1', 'view', '2026-06-01 09:00Z', null, '{"seconds": 30}');
select tests.interaction('cid', 'listing 4', 'view', '2026-06-01 09:00Z', null, '{"seconds": 10}');

-- a user of whom both profiles showed something counts in both
select tests.impression('ann', 'listing 5', '2026-06-01 10:00Z', 1, 'calm');
-- the same click twice in an hour is one
select tests.interaction('dan', 'listing 1', 'click', '2026-06-01 09:10Z');
-- what was shown before the experiment belongs to it in no way, and so does what nobody showed
select tests.impression('bob', 'listing 4', '2026-05-31 23:59Z', 1, 'default');
select tests.interaction('bob', 'listing 4', 'click', '2026-06-01 00:01Z');
select tests.interaction('eve', 'listing 5', 'click', '2026-06-01 12:00Z');
-- nor what comes after the time compared
select tests.impression('bob', 'listing 5', '2026-06-03 00:00Z', 1, 'default');

select is(
    analytics.refresh_experiments('2026-06-03 00:00Z'), 8::bigint, 'two profiles, four measures'
);
select results_eq(
    $$
    select profile_name, user_count, numerator, denominator, value
    from analytics.experiment_results
    where measure = 'click_through_rate'
    order by profile_name
    $$,
    $$
    values
    ('calm', 3::bigint, 4::double precision, 5::double precision, 0.8::double precision),
    ('default', 3, 3, 8, 0.375)
    $$,
    'clicks over impressions of the profile that showed'
);
-- default: 1, 0, 2 clicks of 2, 2, 4; calm: 3, 1, 0 of 3, 1, 1
select is_near(
    (
        select c.standard_error from analytics.experiment_counts as c
        where c.profile_name = 'default' and c.measure = 'click_through_rate'
    ),
    0.14320549046737,
    'with the standard error between users'
);
select is_near(
    (
        select c.standard_error from analytics.experiment_counts as c
        where c.profile_name = 'calm' and c.measure = 'click_through_rate'
    ),
    0.2497999199359359,
    'of each profile'
);
select results_eq(
    $$
    select round(low::numeric, 6), round(high::numeric, 6)
    from analytics.experiment_results
    where measure = 'click_through_rate' and profile_name = 'calm'
    $$,
    $$values (0.310401, 1.289599)$$,
    'and an interval of 1.96 of them to each side'
);
select results_eq(
    $$
    select
        round(difference::numeric, 6),
        round(difference_low::numeric, 6),
        round(difference_high::numeric, 6),
        is_different
    from analytics.experiment_results
    where measure = 'click_through_rate' and profile_name = 'calm'
    $$,
    $$values (0.425000, -0.139346, 0.989346, false)$$,
    'the difference to default has its own'
);
select results_eq(
    $$
    select measure, user_count, numerator, denominator, round(value::numeric, 6)
    from analytics.experiment_results
    where profile_name = 'default'
    order by measure
    $$,
    $$
    values
    (
        'applications_per_user',
        3::bigint,
        1::double precision,
        3::double precision,
        round(1 / 3.0, 6)
    ),
    ('apply_rate', 3, 1, 3, round(1 / 3.0, 6)),
    ('click_through_rate', 3, 3, 8, 0.375),
    ('seconds_per_listing', 3, 40, 2, 20)
    $$,
    'the other measures are sums over users, too'
);
select results_eq(
    $$
    select value, low, difference, is_different
    from analytics.experiment_results
    where profile_name = 'calm' and measure = 'seconds_per_listing'
    $$,
    $$
    values (
        null::double precision, null::double precision, null::double precision, null::boolean
    )
    $$,
    'what was never viewed has no seconds, and no difference'
);
select results_eq(
    $$
    select distinct profile_name, difference is null, share_of_users, started_at, from_time, to_time
    from analytics.experiment_results
    where measure = 'click_through_rate'
    order by profile_name
    $$,
    $$
    values
    (
        'calm',
        false,
        0.25::double precision,
        '2026-06-01 00:00Z'::timestamptz,
        '2026-06-01 00:00Z'::timestamptz,
        '2026-06-03 00:00Z'::timestamptz
    ),
    ('default', true, null, null, '2026-06-01 00:00Z', '2026-06-03 00:00Z')
    $$,
    'default is compared with nothing; both over the same time'
);

-- certainty
update analytics.experiment_counts as c
set standard_error = 0.1
where c.measure = 'click_through_rate';

select is(
    (
        select r.is_different from analytics.experiment_results as r
        where r.measure = 'click_through_rate' and r.profile_name = 'calm'
    ),
    true,
    'a difference of 0.425 is one when each is known to 0.1'
);

-- another experiment starts: the same time for all
insert into feed.experiments (profile_name, buckets, started_at)
values ('bold', '[250,500)', '2026-06-01 09:15Z');
select analytics.refresh_experiments('2026-06-03 00:00Z');

select results_eq(
    $$
    select profile_name, user_count, denominator, from_time
    from analytics.experiment_results
    where measure = 'click_through_rate'
    $$,
    $$
    values (
        'calm', 1::bigint, 1::double precision, '2026-06-01 09:15Z'::timestamptz
    )
    $$,
    'what was shown from the latest start on counts'
);

-- how far back
update analytics.refresh_parameters
set comparison_window = '1 hour';
select analytics.refresh_experiments('2026-06-01 10:30Z');

select results_eq(
    'select distinct from_time, to_time from analytics.experiment_results',
    $$values ('2026-06-01 09:30Z'::timestamptz, '2026-06-01 10:30Z'::timestamptz)$$,
    'at most as far as the window goes'
);

-- all have ended
delete from feed.experiments;

select is(
    analytics.refresh_experiments('2026-06-03 00:00Z'), 0::bigint, 'without any nothing is counted'
);
select is(
    (select count(*) from analytics.experiment_results),
    4::bigint,
    'and the last results stay'
);

-- one that is to be compared later
insert into feed.experiments (profile_name, buckets, started_at)
values ('bold', '[250,500)', '2026-07-01 00:00Z');

select is(
    analytics.refresh_experiments('2026-06-03 00:00Z'), 0::bigint, 'one of tomorrow does not count'
);

select finish();
rollback;
