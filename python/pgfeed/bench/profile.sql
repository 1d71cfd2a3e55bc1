-- The default ranking profile in the units of the baselines.
select
    p.location_weight::double precision as location_weight,
    p.tag_weight::double precision as tag_weight,
    p.engagement_weight::double precision as engagement_weight,
    p.recency_weight::double precision as recency_weight,
    p.poster_weight::double precision as poster_weight,
    p.collaborative_weight::double precision as collaborative_weight,
    p.content_weight::double precision as content_weight,
    p.location_decay_km as decay_km,
    p.unknown_location_score,
    (extract(epoch from p.recency_half_life) / 86400)::double precision as half_life_days,
    p.seen_window,
    p.inferred_tag_count
from feed.ranking_profiles as p
where p.profile_name = 'default'
