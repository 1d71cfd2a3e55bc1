-- Every listing as one user's candidate: its nine components, its score, and the rules
-- that remove it.
--
-- The definition of the ranking. A caller's filter on removed_by or listing_id is pushed
-- inside, since the planner inlines this function; `offset 0` keeps it from computing a
-- distance or a component once for each place where it is used.
--
-- Called by   feed.score_listings, api.explain_listing
-- Costs       every listing that the caller's filter leaves

create or replace function feed.candidate_listings(
    user_uid uuid,
    profile_name text,
    as_of timestamptz
)
returns table (
    listing_id uuid,
    created_at timestamptz,
    removed_by text[],
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
        r.removed_by,
        d.distance_km,
        s.matched_tag_count,
        u.has_inferred_tags,
        coalesce(k.neighbor_count, 0),
        coalesce(f.choice_count, 0),
        coalesce(i.choice_count, 0),
        s.location_score,
        s.tag_score,
        s.engagement_score,
        s.recency_score,
        s.poster_score,
        s.collaborative_score,
        s.content_score,
        s.poster_affinity_score,
        s.item_similarity_score,
        p.location_weight::double precision * s.location_score
        + p.tag_weight::double precision * s.tag_score
        + p.engagement_weight::double precision * s.engagement_score
        + p.recency_weight::double precision * s.recency_score
        + p.poster_weight::double precision * s.poster_score
        + p.collaborative_weight::double precision * s.collaborative_score
        + p.content_weight::double precision * s.content_score
        + p.poster_affinity_weight::double precision * s.poster_affinity_score
        + p.item_similarity_weight::double precision * s.item_similarity_score
    from feed.ranking_profiles as p
    cross join
        lateral feed.user_context(
            candidate_listings.user_uid, p.inferred_tag_count
        ) as u
    cross join feed.listings as l
    left join feed.user_listing_states as t
        on
            l.listing_no = t.listing_no
            and t.user_no = (
                select a.user_no from feed.users as a
                where a.user_uid = candidate_listings.user_uid
            )
    left join feed.engagement_metrics as m on l.listing_id = m.listing_id
    left join feed.posters as o on l.poster_uid = o.poster_uid
    left join feed.collaborative_scores(
        candidate_listings.user_uid,
        candidate_listings.profile_name,
        candidate_listings.as_of
    ) as k on l.listing_no = k.listing_no
    left join feed.poster_affinities(
        candidate_listings.user_uid,
        candidate_listings.profile_name,
        candidate_listings.as_of
    ) as f on l.poster_uid = f.poster_uid
    left join feed.item_similarities(
        candidate_listings.user_uid,
        candidate_listings.profile_name,
        candidate_listings.as_of
    ) as i on l.listing_no = i.listing_no
    left join ml.listing_vectors as v
        on
            l.listing_no = v.listing_no
            and v.model_id = (select c.model_id from ml.current_model as c)
    cross join
        lateral (
            select ext.st_distance(u.location, l.location, false) / 1000 as distance_km
            from (values (1)) as once (n)
            offset 0
        ) as d
    cross join
        lateral (
            select
                feed.removal_rules(
                    l,
                    t,
                    u.user_uid,
                    u.blocked_tags,
                    d.distance_km,
                    u.max_distance,
                    p.seen_window,
                    candidate_listings.as_of
                ) as removed_by
        ) as r
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
                    candidate_listings.as_of - l.created_at, p.recency_half_life
                ) as recency_score,
                coalesce(o.poster_score, feed.poster_score(null, 0, 0, 0)) as poster_score,
                coalesce(k.score, 0) as collaborative_score,
                feed.content_score(u.feature_vector, v.feature_vector) as content_score,
                coalesce(f.score, 0) as poster_affinity_score,
                coalesce(i.score, 0) as item_similarity_score
            from (
                select feed.matched_tag_count(u.tags, l.tags) as matched_tag_count
                from (values (1)) as once (n)
                offset 0
            ) as g
            offset 0
        ) as s
    where p.profile_name = candidate_listings.profile_name;
end;

comment on function feed.candidate_listings is
'Every listing for one user: distance, components in [0,1], score = Σ weight · component, and
removed_by, the rules that keep it out of the feed. Any uuid is a user; an unknown profile
gives no rows.';
