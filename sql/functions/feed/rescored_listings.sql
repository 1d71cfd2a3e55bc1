-- Candidates of the engine, scored again in float8 with the eligibility that float32 left open.
--
-- Called by   api.get_feed
-- Costs       the candidates

create or replace function feed.rescored_listings(
    user_uid uuid,
    profile_name text,
    as_of timestamptz,
    listing_nos integer[],
    collaborative_scores double precision[],
    neighbor_counts integer[],
    content_scores double precision[],
    poster_affinity_scores double precision[],
    poster_choice_counts integer[],
    item_similarity_scores double precision[],
    similar_choice_counts integer[]
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
        l.listing_id,
        l.created_at,
        d.distance_km,
        s.matched_tag_count,
        u.has_inferred_tags,
        k.neighbor_count,
        k.poster_choice_count,
        k.similar_choice_count,
        s.location_score,
        s.tag_score,
        s.engagement_score,
        s.recency_score,
        s.poster_score,
        k.collaborative_score,
        k.content_score,
        k.poster_affinity_score,
        k.item_similarity_score,
        p.location_weight::double precision * s.location_score
        + p.tag_weight::double precision * s.tag_score
        + p.engagement_weight::double precision * s.engagement_score
        + p.recency_weight::double precision * s.recency_score
        + p.poster_weight::double precision * s.poster_score
        + p.collaborative_weight::double precision * k.collaborative_score
        + p.content_weight::double precision * k.content_score
        + p.poster_affinity_weight::double precision * coalesce(k.poster_affinity_score, 0)
        + p.item_similarity_weight::double precision * coalesce(k.item_similarity_score, 0)
    from feed.ranking_profiles as p
    cross join
        lateral feed.user_context(
            rescored_listings.user_uid, p.inferred_tag_count
        ) as u
    cross join
        unnest(
            rescored_listings.listing_nos,
            rescored_listings.collaborative_scores,
            rescored_listings.neighbor_counts,
            rescored_listings.content_scores,
            rescored_listings.poster_affinity_scores,
            rescored_listings.poster_choice_counts,
            rescored_listings.item_similarity_scores,
            rescored_listings.similar_choice_counts
        ) as k (
            listing_no,
            collaborative_score,
            neighbor_count,
            content_score,
            poster_affinity_score,
            poster_choice_count,
            item_similarity_score,
            similar_choice_count
        )
    inner join feed.listings as l using (listing_no)
    left join feed.engagement_metrics as m on l.listing_id = m.listing_id
    left join feed.posters as o on l.poster_uid = o.poster_uid
    cross join
        lateral (
            select ext.st_distance(u.location, l.location, false) / 1000 as distance_km
            from (values (1)) as once (n)
            offset 0
        ) as d
    cross join
        lateral (
            select
                g.matched_tag_count,
                feed.location_score(
                    d.distance_km, p.location_decay_km, p.unknown_location_score
                ) as location_score,
                feed.tag_score(
                    g.matched_tag_count, cardinality(u.tags), cardinality(l.tags)
                ) as tag_score,
                coalesce(m.engagement_score, 0) as engagement_score,
                feed.recency_score(
                    rescored_listings.as_of - l.created_at, p.recency_half_life
                ) as recency_score,
                coalesce(o.poster_score, feed.poster_score(null, 0, 0, 0)) as poster_score
            from (
                select count(*)::integer as matched_tag_count
                from unnest(l.tags) as t (tag)
                where t.tag = any(u.tags)
            ) as g
            offset 0
        ) as s
    where
        p.profile_name = rescored_listings.profile_name
        and (d.distance_km <= u.max_distance) is not false;
end;

comment on function feed.rescored_listings is
'The columns of feed.score_listings for these listings, whose collaborative scores, neighbor
counts and content scores are given, and so are poster affinities and item similarities unless the
profile does not weigh them: then they are null. Only the limit of distance is checked again.';
