begin;

select
    measure,
    target,
    meaning
from analytics.targets
where false;

select 1 / count(*) from analytics.refresh_parameters
where attribution_window > interval '0';

select
    mark_no,
    since
from analytics.stale_days
where false;

select
    city,
    center,
    user_count
from analytics.cities
where false;

select
    day,
    impression_count,
    attributed_click_count,
    refreshed_at
from analytics.daily_counts
where false;

select
    day,
    profile_name,
    position,
    city,
    impression_count
from analytics.feed_counts
where false;

select
    day,
    measure,
    covered_count,
    total_count
from analytics.coverage_counts
where false;

select
    profile_name,
    component,
    bucket_no,
    listing_count
from analytics.component_counts
where false;

select
    subject,
    percentile,
    share_of_applications,
    gini
from analytics.application_curves
where false;

rollback;
