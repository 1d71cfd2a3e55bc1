-- The seven components as clients see them: value, weight and contribution of each.
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
    content_score double precision
)
returns jsonb
language sql
stable
parallel safe
return (
    select
        jsonb_object_agg(
            c.name,
            jsonb_build_object(
                'value', c.value,
                'weight', c.weight::double precision,
                'contribution', c.weight::double precision * c.value
            )
        )
    from (
        values
        ('location', location_score, (profile).location_weight),
        ('tag', tag_score, (profile).tag_weight),
        ('engagement', engagement_score, (profile).engagement_weight),
        ('recency', recency_score, (profile).recency_weight),
        ('poster', poster_score, (profile).poster_weight),
        ('collaborative', collaborative_score, (profile).collaborative_weight),
        ('content', content_score, (profile).content_weight)
    ) as c (name, value, weight)
);

comment on function feed.weighted_components is
'{"location": {"value", "weight", "contribution"}, …} for the seven components; the
contributions sum to the score.';
