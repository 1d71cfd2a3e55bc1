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
    poster_choice_count integer,
    similar_choice_count integer,
    as_of timestamptz
)
returns jsonb
language sql
stable
return (
    select
        jsonb_object_agg(
            c.name,
            feed.component_fact(
                c.name,
                listing,
                counters,
                poster,
                distance_km,
                matched_tag_count,
                has_inferred_tags,
                neighbor_count,
                content_score,
                poster_choice_count,
                similar_choice_count,
                as_of
            )
        )
    from unnest(feed.component_names()) as c (name)
);

comment on function feed.component_facts is
'{"location": "1.9 km away", "tag": "4 of 6 tags are yours", …}: feed.component_fact of each
component.';
