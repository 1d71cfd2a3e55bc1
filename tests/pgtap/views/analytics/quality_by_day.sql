-- analytics.quality_by_day: feed_quality added up by day and profile.

begin;
select plan(3);

insert into analytics.daily_counts
select
    d.day,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    now()
from (values ('2026-03-01'::date), ('2026-03-02'::date)) as d (day);

insert into analytics.feed_counts (
    day, profile_name, position, city,
    impression_count, view_count, view_seconds, click_count, apply_count
) values
('2026-03-01', 'default', 1, 'Bern', 80, 10, 300, 8, 2),
('2026-03-01', 'default', 1, 'Basel', 10, 0, 0, 1, 0),
('2026-03-01', 'default', 2, 'Bern', 10, 10, 100, 1, 1),
('2026-03-01', 'calm', 1, 'Bern', 5, 0, 0, 0, 0),
('2026-03-02', 'default', 1, 'Bern', 3, 0, 0, 3, 0);

select results_eq(
    $$
    select day::text, profile_name, impression_count, click_count, apply_count, view_count
    from analytics.quality_by_day order by day, profile_name
    $$,
    $$
    values
    ('2026-03-01', 'calm', 5::bigint, 0::bigint, 0::bigint, 0::bigint),
    ('2026-03-01', 'default', 100, 10, 3, 20),
    ('2026-03-02', 'default', 3, 3, 0, 0)
    $$,
    'positions and cities are added up'
);
select results_eq(
    $$
    select click_through_rate, apply_rate, average_seconds
    from analytics.quality_by_day order by day, profile_name
    $$,
    $$
    values
    (0::double precision, null::double precision, null::double precision),
    (0.1, 0.3, 20),
    (1, 0, null)
    $$,
    'rates are of the sums, and unknown where there is nothing to divide by'
);
select results_eq(
    $$
    select distinct click_through_target, apply_target, seconds_target, refreshed_at = now()
    from analytics.quality_by_day
    $$,
    $$values (0.05::double precision, 0.1::double precision, 30::double precision, true)$$,
    'the targets and the time of the count are beside them'
);

select finish();
rollback;
