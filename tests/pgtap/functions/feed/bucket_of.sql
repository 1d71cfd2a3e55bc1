-- feed.bucket_of: where a user stands in every experiment

begin;
select plan(5);

-- Python: int.from_bytes(hashlib.sha256(uuid.UUID("UID").bytes).digest()[:4], "big") % 1000
select is(
    feed.bucket_of('0f16cf0b-503b-45d9-a699-416cf95c11e1'), 894, 'the bucket is that of SHA-256'
);
select is(feed.bucket_of('00000000-0000-0000-0000-000000000000'), 239, 'for ever');
select is(feed.bucket_of(null), null, 'nobody has none');

create temporary table buckets as
select feed.bucket_of(tests.user_uid('user ' || n)) as bucket
from generate_series(1, 20000) as n;

select results_eq(
    'select min(bucket), max(bucket), count(distinct bucket) from buckets',
    'values (0, 999, 1000::bigint)',
    '20,000 users fill all thousand'
);
-- of 1000 buckets the sum is around 999, and its standard deviation 45
select cmp_ok(
    (
        select sum((s.user_count - 20) ^ 2 / 20)
        from (
            select count(*) as user_count from buckets as b
            group by b.bucket
        ) as s
    ),
    '<',
    1200::double precision,
    'evenly: chi-squared is what chance makes it'
);

select finish();
rollback;
