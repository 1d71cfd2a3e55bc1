-- ops.latency_bucket, ops.bucket_latency, ops.count_requests, and the view feed_latency

begin;
select plan(7);

select is_empty(
    $$
    select v.ms
    from (
        select 0.5 + n / 10.0::double precision as ms from generate_series(0, 5000) as n
        union all
        select n * 7.3::double precision from generate_series(1, 100000) as n
    ) as v (ms)
    where abs(ops.bucket_latency(ops.latency_bucket(v.ms)) / v.ms - 1) > 0.02
    $$,
    'a bucket stands within 2 % of whatever fell into it'
);
select results_eq(
    'select ops.bucket_latency(ops.latency_bucket(0)), ops.latency_bucket(1e300) > 0',
    'values (0::double precision, true)',
    'nothing is nothing, and nothing is too long'
);

-- feed: 1 to 100 ms, two that failed after half a second, ten that were refused at once
select
    ops.count_requests(
        array_agg(date_trunc('hour', now())),
        array_agg('feed'::text),
        array_agg(r.status_class),
        array_agg(r.ms),
        array_agg(r.request_count)
    )
from (
    select 2 as status_class, n::double precision as ms, 1::bigint as request_count
    from generate_series(1, 100) as n
    union all
    values (5, 500, 2), (4, 0, 10)
) as r;
select tests.act_as_analyst();

select results_eq(
    'select route, request_count, error_count, target_ms from analytics.feed_latency',
    $$values ('feed', 112::bigint, 2::bigint, 200::double precision)$$,
    'all requests and those that failed'
);
-- of 102: the 51st, the 97th and the 101st
select
    ok(
        abs(f.p50_ms / 51 - 1) <= 0.02
        and abs(f.p95_ms / 97 - 1) <= 0.02
        and abs(f.p99_ms / 500 - 1) <= 0.02,
        'percentiles by nearest rank, within 2 %; the refused ones do not flatter them'
    )
from analytics.feed_latency as f;

select tests.act_as_owner();
select ops.count_requests(
    array[date_trunc('hour', now()), date_trunc('hour', now()), date_trunc('hour', now())],
    array['feed', 'trending', ''],
    array[2, 4, 2],
    array[1, 3, 4],
    array[898, 5, 6]
);
select results_eq(
    $$
    select route, request_count, p50_ms::numeric(5, 0), target_ms
    from analytics.feed_latency order by request_count
    $$,
    $$
    values
    ('trending', 5::bigint, null::numeric, 50::double precision),
    ('', 6, 4, null),
    ('feed', 1010, 1, 200)
    $$,
    'more are added; where all were refused there is no percentile; pages have no target'
);
select lives_ok(
    $$
    select ops.count_requests(
        array[now(), now()], array['feed', 'feed'], array[2, 2], array[1.00, 1.01], array[1, 1]
    )
    $$,
    'two of one bucket in one call are one row'
);
select throws_ok(
    $$select ops.count_requests(array[now()], array['feed'], array[9], array[1], array[1])$$,
    '23514',
    null,
    'a status that does not exist is refused'
);

select finish();
rollback;
