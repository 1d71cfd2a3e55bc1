-- Adds requests to the histogram.
--
-- In key order, so that readers of several gateways' logs do not deadlock.
--
-- Called by   pgfeed access-log
-- Writes      ops.request_counts

create or replace function ops.count_requests(
    hours timestamptz[],
    routes text[],
    status_classes integer[],
    milliseconds double precision[],
    request_counts bigint[]
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into ops.request_counts as c (hour, route, status_class, bucket_no, request_count)
    select
        r.hour,
        r.route,
        r.status_class,
        ops.latency_bucket(r.milliseconds),
        sum(r.request_count)
    from
        unnest(hours, routes, status_classes, milliseconds, request_counts) as r (
            hour, route, status_class, milliseconds, request_count
        )
    group by r.hour, r.route, r.status_class, ops.latency_bucket(r.milliseconds)
    order by r.hour, r.route, r.status_class, ops.latency_bucket(r.milliseconds)
    on conflict (hour, route, status_class, bucket_no) do update set
        request_count = c.request_count + excluded.request_count;
end;
$$;

comment on function ops.count_requests is
'Adds requests to ops.request_counts: parallel arrays of hour, route, first digit of the status,
milliseconds and how many.';
