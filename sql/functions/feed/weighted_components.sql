-- The components as clients see them: value, weight and contribution of each.
--
-- One expression, so that the planner inlines it.
--
-- Called by   api.get_feed, api.explain_listing

create or replace function feed.weighted_components(
    profile feed.ranking_profiles,
    location_score double precision,
    tag_score double precision,
    engagement_score double precision,
    recency_score double precision,
    poster_score double precision,
    collaborative_score double precision,
    content_score double precision,
    poster_affinity_score double precision,
    item_similarity_score double precision
)
returns jsonb
language sql
stable
parallel safe
return jsonb_build_object(
    'location', feed.weighted_component(location_score, (profile).location_weight),
    'tag', feed.weighted_component(tag_score, (profile).tag_weight),
    'engagement', feed.weighted_component(engagement_score, (profile).engagement_weight),
    'recency', feed.weighted_component(recency_score, (profile).recency_weight),
    'poster', feed.weighted_component(poster_score, (profile).poster_weight),
    'collaborative', feed.weighted_component(collaborative_score, (profile).collaborative_weight),
    'content', feed.weighted_component(content_score, (profile).content_weight)
)
|| case
    when poster_affinity_score is null then '{}'
    else
        jsonb_build_object(
            'poster_affinity',
            feed.weighted_component(
                poster_affinity_score, (profile).poster_affinity_weight
            )
        )
end
|| case
    when item_similarity_score is null then '{}'
    else
        jsonb_build_object(
            'item_similarity',
            feed.weighted_component(
                item_similarity_score, (profile).item_similarity_weight
            )
        )
end;

comment on function feed.weighted_components is
'{"location": {"value", "weight", "contribution"}, …} for the components, but for poster_affinity
and item_similarity where they are null; the contributions sum to the score.';
