-- The fact behind each component of one listing, in words.
--
-- Called by   api.explain_listing

create or replace function feed.component_facts(
    listing feed.listings,
    counters feed.engagement_metrics,
    poster feed.posters,
    distance_km double precision,
    matched_tag_count integer,
    has_inferred_tags boolean,
    neighbor_count integer,
    content_score double precision,
    as_of timestamptz
)
returns jsonb
language sql
stable
return jsonb_build_object(
    'location',
    feed.component_fact(
        'location',
        listing,
        counters,
        poster,
        distance_km,
        matched_tag_count,
        has_inferred_tags,
        neighbor_count,
        content_score,
        as_of
    ),
    'tag',
    feed.component_fact(
        'tag',
        listing,
        counters,
        poster,
        distance_km,
        matched_tag_count,
        has_inferred_tags,
        neighbor_count,
        content_score,
        as_of
    ),
    'engagement',
    feed.component_fact(
        'engagement',
        listing,
        counters,
        poster,
        distance_km,
        matched_tag_count,
        has_inferred_tags,
        neighbor_count,
        content_score,
        as_of
    ),
    'recency',
    feed.component_fact(
        'recency',
        listing,
        counters,
        poster,
        distance_km,
        matched_tag_count,
        has_inferred_tags,
        neighbor_count,
        content_score,
        as_of
    ),
    'poster',
    feed.component_fact(
        'poster',
        listing,
        counters,
        poster,
        distance_km,
        matched_tag_count,
        has_inferred_tags,
        neighbor_count,
        content_score,
        as_of
    ),
    'collaborative',
    feed.component_fact(
        'collaborative',
        listing,
        counters,
        poster,
        distance_km,
        matched_tag_count,
        has_inferred_tags,
        neighbor_count,
        content_score,
        as_of
    ),
    'content',
    feed.component_fact(
        'content',
        listing,
        counters,
        poster,
        distance_km,
        matched_tag_count,
        has_inferred_tags,
        neighbor_count,
        content_score,
        as_of
    )
);

comment on function feed.component_facts is
'{"location": "1.9 km away", "tag": "4 of 6 tags are yours", …}: feed.component_fact of each of
the seven components.';
