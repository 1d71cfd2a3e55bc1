begin;

select
    profile_name,
    buckets,
    started_at
from feed.experiments
where buckets && int4range(0, 1000) and false;

select
    profile_name,
    measure,
    user_count,
    numerator,
    denominator,
    value,
    standard_error,
    from_time,
    to_time,
    refreshed_at
from analytics.experiment_counts
where false;

select 1 / count(*) from analytics.refresh_parameters
where comparison_window > interval '0';

rollback;
