-- The ceiling that the engagement of today's open listings calls for.
--
-- Called by   jobs.refresh_engagement
-- Costs       one scan of the counters

create or replace function feed.engagement_ceiling()
returns double precision
language sql
stable
begin atomic
    select
        greatest(
            s.minimum_ceiling,
            percentile_disc(s.ceiling_quantile) within group (
                order by feed.engagement_points(m, w)
            )
        )
    from feed.listings as l
    left join feed.engagement_metrics as m using (listing_id)
    cross join feed.engagement_weights as w
    cross join feed.engagement_scale as s
    where l.status = 'open'
    group by s.minimum_ceiling, s.ceiling_quantile;
end;

comment on function feed.engagement_ceiling is
'The quantile of raw points over open listings that engagement_scale names, at least its
minimum; null if there are no open listings.';
