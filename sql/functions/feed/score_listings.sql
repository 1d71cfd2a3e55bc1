-- The reference ranking: every eligible listing of a user with its components.
--
-- Clear before fast. It explains, it serves analysts, and it is the oracle that
-- api.get_feed is measured by. The feed's order is `round(score::numeric, 9) desc,
-- created_at desc, listing_id`: scores within 1e-9 are a tie.
--
-- Called by   analysts, tests
-- Costs       every eligible listing

create or replace function feed.score_listings(
    user_uid uuid,
    profile_name text default 'default',
    as_of timestamptz default now()
)
returns table (
    listing_id uuid,
    created_at timestamptz,
    distance_km double precision,
    matched_tag_count integer,
    has_inferred_tags boolean,
    neighbor_count integer,
    poster_choice_count integer,
    similar_choice_count integer,
    location_score double precision,
    tag_score double precision,
    engagement_score double precision,
    recency_score double precision,
    poster_score double precision,
    collaborative_score double precision,
    content_score double precision,
    poster_affinity_score double precision,
    item_similarity_score double precision,
    score double precision
)
language sql
stable
begin atomic
    select
        c.listing_id,
        c.created_at,
        c.distance_km,
        c.matched_tag_count,
        c.has_inferred_tags,
        c.neighbor_count,
        c.poster_choice_count,
        c.similar_choice_count,
        c.location_score,
        c.tag_score,
        c.engagement_score,
        c.recency_score,
        c.poster_score,
        c.collaborative_score,
        c.content_score,
        c.poster_affinity_score,
        c.item_similarity_score,
        c.score
    from feed.candidate_listings(
            score_listings.user_uid, score_listings.profile_name, score_listings.as_of
        ) as c
    -- Not `= 0`, which the planner takes for a rare event.
    where cardinality(c.removed_by) < 1;
end;

comment on function feed.score_listings is
'Every listing that the user may see, with distance in km, the nine components in [0,1] and
the score. The feed''s order: score descending (scores within 1e-9 are a tie), created_at
descending, listing_id.';
