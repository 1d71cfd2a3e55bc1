begin;

select 1 / count(*) from feed.ranking_profiles
where
    profile_name = 'default'
    and location_weight >= 0
    and location_decay_km > 0
    and unknown_location_score >= 0
    and inferred_tag_count >= 0
    and recency_half_life > interval '0'
    and seen_window >= interval '0'
    and collaborative_window > interval '0';

rollback;
