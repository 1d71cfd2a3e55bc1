-- In which bucket of the histogram a duration falls.
--
-- Each bucket is 4 % wider than the one before, so that its middle is within 2 % of whatever
-- fell into it; the first one is for what took less than half a millisecond.
--
-- Called by   ops.count_requests

create or replace function ops.latency_bucket(milliseconds double precision)
returns smallint
language sql
immutable
parallel safe
return case
    when milliseconds < 0.5 then 0
    else 1 + floor(ln(least(milliseconds, 1e9) / 0.5) / ln(1.04::double precision))
end::smallint;

comment on function ops.latency_bucket is
'The bucket of ops.request_counts for a duration: 0 below 0.5 ms, then 4 % wider each.';
