begin;

select 1 / count(*) from feed.ranking_profiles
where
    profile_name = 'default'
    and poster_affinity_weight >= 0
    and item_similarity_weight >= 0
    and affinity_half_life > interval '0'
    and affinity_smoothing > 0
    and history_half_life > interval '0'
    and history_limit >= 1;

rollback;
