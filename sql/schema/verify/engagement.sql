begin;

select
    m.listing_id,
    m.view_count,
    m.click_count,
    m.apply_count,
    m.save_count,
    m.share_count,
    m.dismiss_count,
    m.engagement_score,
    m.trending_score,
    m.is_stale,
    b.view_count as base_view_count
from feed.engagement_metrics as m
inner join feed.engagement_base as b using (listing_id)
where false;

select 1 / count(*) from feed.engagement_scale
where
    ceiling > 0
    and minimum_ceiling > 0
    and trending_window > interval '0'
    and trending_half_life > interval '0';

rollback;
