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
    'location',
    jsonb_build_object(
        'value', location_score,
        'weight', (profile).location_weight::double precision,
        'contribution', (profile).location_weight::double precision * location_score
    ),
    'tag',
    jsonb_build_object(
        'value', tag_score,
        'weight', (profile).tag_weight::double precision,
        'contribution', (profile).tag_weight::double precision * tag_score
    ),
    'engagement',
    jsonb_build_object(
        'value', engagement_score,
        'weight', (profile).engagement_weight::double precision,
        'contribution', (profile).engagement_weight::double precision * engagement_score
    ),
    'recency',
    jsonb_build_object(
        'value', recency_score,
        'weight', (profile).recency_weight::double precision,
        'contribution', (profile).recency_weight::double precision * recency_score
    ),
    'poster',
    jsonb_build_object(
        'value', poster_score,
        'weight', (profile).poster_weight::double precision,
        'contribution', (profile).poster_weight::double precision * poster_score
    ),
    'collaborative',
    jsonb_build_object(
        'value', collaborative_score,
        'weight', (profile).collaborative_weight::double precision,
        'contribution', (profile).collaborative_weight::double precision * collaborative_score
    ),
    'content',
    jsonb_build_object(
        'value', content_score,
        'weight', (profile).content_weight::double precision,
        'contribution', (profile).content_weight::double precision * content_score
    )
)
|| case
    when poster_affinity_score is null then '{}'
    else
        jsonb_build_object(
            'poster_affinity',
            jsonb_build_object(
                'value', poster_affinity_score,
                'weight', (profile).poster_affinity_weight::double precision,
                'contribution',
                (profile).poster_affinity_weight::double precision * poster_affinity_score
            )
        )
end
|| case
    when item_similarity_score is null then '{}'
    else
        jsonb_build_object(
            'item_similarity',
            jsonb_build_object(
                'value', item_similarity_score,
                'weight', (profile).item_similarity_weight::double precision,
                'contribution',
                (profile).item_similarity_weight::double precision * item_similarity_score
            )
        )
end;

comment on function feed.weighted_components is
'{"location": {"value", "weight", "contribution"}, …} for the components, but for poster_affinity
and item_similarity where they are null; the contributions sum to the score.';
