-- What a bucket of the histogram stands for: the middle of it.
--
-- Called by   analytics.feed_latency

create or replace function ops.bucket_latency(bucket_no smallint)
returns double precision
language sql
immutable
parallel safe
return case
    when bucket_no = 0 then 0
    else 0.5 * power(1.04::double precision, bucket_no - 0.5)
end;

comment on function ops.bucket_latency is
'Milliseconds in the (geometric) middle of a bucket of ops.request_counts: within 2 % of whatever
fell into it.';
