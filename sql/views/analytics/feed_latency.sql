-- How long requests took at the gateway, by hour and route.
--
-- Percentiles by nearest rank, from the histogram that pgfeed access-log fills. What the gateway
-- or the API refused (4xx) is counted but not timed: it is quick, and would flatter.

create or replace view analytics.feed_latency as
with buckets as (
    select
        c.hour,
        c.route,
        c.bucket_no,
        sum(c.request_count) as request_count,
        coalesce(sum(c.request_count) filter (where c.status_class = 5), 0) as error_count,
        coalesce(sum(c.request_count) filter (where c.status_class <> 4), 0) as timed_count
    from ops.request_counts as c
    where c.hour > now() - interval '30 days'
    group by c.hour, c.route, c.bucket_no
),

ranked as (
    select
        b.hour,
        b.route,
        b.bucket_no,
        b.request_count,
        b.error_count,
        b.timed_count,
        sum(b.timed_count) over (partition by b.hour, b.route order by b.bucket_no) as rank,
        sum(b.timed_count) over (partition by b.hour, b.route) as all_timed
    from buckets as b
),

percentiles as (
    select
        r.hour,
        r.route,
        sum(r.request_count)::bigint as request_count,
        sum(r.error_count)::bigint as error_count,
        min(r.bucket_no) filter (
            where r.timed_count > 0 and r.rank >= ceil(0.50 * r.all_timed)
        ) as p50,
        min(r.bucket_no) filter (
            where r.timed_count > 0 and r.rank >= ceil(0.95 * r.all_timed)
        ) as p95,
        min(r.bucket_no) filter (
            where r.timed_count > 0 and r.rank >= ceil(0.99 * r.all_timed)
        ) as p99
    from ranked as r
    group by r.hour, r.route
)

select
    p.hour,
    p.route,
    p.request_count,
    p.error_count,
    ops.bucket_latency(p.p50) as p50_ms,
    ops.bucket_latency(p.p95) as p95_ms,
    ops.bucket_latency(p.p99) as p99_ms,
    t.target as target_ms
from percentiles as p
left join analytics.targets as t
    on
        t.measure = case
            when p.route = 'feed' then 'feed_latency_ms'
            when p.route not in ('', 'health', 'analytics') then 'query_latency_ms'
        end;

comment on view analytics.feed_latency is
'How long requests took at the gateway in each hour of the last 30 days, by route. From its access
log, which pgfeed access-log reads into a histogram; percentiles are within 2 % of the exact ones.
Example: select hour, request_count, p50_ms, p99_ms from analytics.feed_latency
where route = ''feed'' order by hour desc limit 24;';
comment on column analytics.feed_latency.hour is 'The hour in which requests ended.';
comment on column analytics.feed_latency.route is
'feed, interaction, interactions, trending, rest, …, as the gateway names it; empty for pages.';
comment on column analytics.feed_latency.request_count is 'All requests.';
comment on column analytics.feed_latency.error_count is
'Those that failed on the server''s side: status 5xx.';
comment on column analytics.feed_latency.p50_ms is
'Half of the requests that were not refused (4xx) took at most so many milliseconds.';
comment on column analytics.feed_latency.p95_ms is 'And 95 in 100.';
comment on column analytics.feed_latency.p99_ms is 'And 99 in 100: what the target is for.';
comment on column analytics.feed_latency.target_ms is
'What p99_ms should not exceed, from analytics.targets; null for pages, health and analytics.';
