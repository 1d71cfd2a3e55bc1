-- analytics.reach, and the views coverage and coverage_course

begin;
select plan(5);

select tests.user(n) from unnest(array['ann', 'bob', 'cid', 'dan']) as n;
update feed.users set created_at = now() - interval '1 year';
insert into feed.user_feed_preferences (user_uid, personalization_enabled)
values (tests.user_uid('bob'), false);
select tests.user_vector('ann', array[1, 0]);
select tests.user_vector('bob', array[1, 0]);
select tests.user_vector('cid', tag_preference => '{"jazz": 0.5}');
select tests.user_vector('dan');
select tests.neighbors('ann', array['cid'], array[0.5]);

select tests.listing(n) from unnest(array['shown', 'long ago', 'never']) as n;
select tests.listing('closed', status => 'closed');
select tests.listing('expired', expires_at => now());
select tests.impression('ann', 'shown', now() - interval '10 days');
select tests.impression('bob', 'shown', now() - interval '11 days');
select tests.impression('ann', 'long ago', now() - interval '30 days');
select tests.impression('ann', 'closed', now() - interval '10 days');
select tests.impression('ann', 'expired', now() - interval '10 days');

select set_eq(
    'select * from analytics.reach(now())',
    $$
    values
    ('users_with_personalisation', 2::bigint, 4::bigint),
    ('users_with_neighbors', 1, 4),
    ('listings_shown', 1, 3)
    $$,
    'who allows it and is known, who has neighbors, what is open and was shown in 30 days'
);

insert into analytics.coverage_counts (day, measure, covered_count, total_count, refreshed_at)
values
('2026-06-01', 'listings_shown', 1, 3, now()),
('2026-06-02', 'listings_shown', 9, 10, now()),
('2026-06-02', 'users_with_neighbors', 0, 0, now());

select results_eq(
    'select measure, covered_count, total_count, share, target, is_met
    from analytics.coverage order by measure',
    $$
    values
    (
        'listings_shown', 9::bigint, 10::bigint, 0.9::double precision,
        0.9::double precision, true
    ),
    ('users_with_neighbors', 0, 0, null, 0.7, null)
    $$,
    'coverage is that of the latest day, beside its target'
);
select results_eq(
    $$
    select day, share, is_met from analytics.coverage_course
    where measure = 'listings_shown' order by day
    $$,
    $$
    values
    ('2026-06-01'::date, 1::double precision / 3, false),
    ('2026-06-02', 0.9, true)
    $$,
    'and has a course'
);
select ok(
    (select bool_and(c.meaning <> '') from analytics.coverage as c),
    'each says what it means'
);
update analytics.targets set target = 0.95
where measure = 'listings_shown';
select is(
    (
        select c.is_met from analytics.coverage as c
        where c.measure = 'listings_shown'
    ),
    false,
    'a target that is moved is in force at once'
);

select finish();
rollback;
