-- Why a listing stands where it does: the facts of its leading components.
--
-- Called by   api.get_feed, api.explain_listing

create or replace function feed.reason(
    component_names text[],
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
returns text
language sql
stable
return coalesce(
    nullif(
        concat_ws(
            '; ',
            feed.component_fact(
                component_names[1],
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
            ),
            feed.component_fact(
                component_names[2],
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
        ),
        ''
    ),
    'nothing speaks for it yet'
);

comment on function feed.reason is
'The facts of the two components that contribute most, largest first: "1.9 km away; 4 of 6
tags are yours". component_names: feed.leading_components.';
