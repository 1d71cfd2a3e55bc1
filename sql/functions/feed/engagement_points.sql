-- The raw engagement of a listing: its counters, weighted by type.
--
-- Called by   feed.engagement_ceiling, jobs.refresh_engagement

create or replace function feed.engagement_points(
    counters feed.engagement_metrics,
    weights feed.engagement_weights
)
returns double precision
language sql
immutable
parallel safe
return (
    coalesce((counters).view_count * (weights).view_weight, 0)
    + coalesce((counters).click_count * (weights).click_weight, 0)
    + coalesce((counters).apply_count * (weights).apply_weight, 0)
    + coalesce((counters).save_count * (weights).save_weight, 0)
    + coalesce((counters).share_count * (weights).share_weight, 0)
    + coalesce((counters).dismiss_count * (weights).dismiss_weight, 0)
)::double precision;

comment on function feed.engagement_points is
'Σ weight · count over the six types; 0 for a listing without counters.';
