-- The listings that can be among a user's best, found in feed.listing_digests.
--
-- What is few is read into arrays first: as constants of the statement that scores, they are what
-- the planner sees, and what a profile or a user does not have costs nothing. So the statement is
-- planned in every request. It runs twice: over the listings that are near, new or chosen by
-- neighbors, which tells what the best have at least, and over all that can get there. What is
-- cheap to know comes first, and content, the dearest, for those only that it can lift.
--
-- Stable: everything is read in one snapshot.
--
-- Called by   api.get_feed
-- Reads       feed.listing_digests, feed.posters, the user's and the neighbors' states
-- Costs       the open listings in reach

create or replace function feed.best_listings(
    user_uid uuid,
    profile_name text,
    as_of timestamptz,
    wanted integer,
    exclude uuid[]
)
returns table (
    listing_nos integer[],
    collaborative_scores double precision[],
    neighbor_counts integer[],
    content_scores double precision[],
    poster_affinity_scores double precision[],
    poster_choice_counts integer[],
    item_similarity_scores double precision[],
    similar_choice_counts integer[]
)
language plpgsql
stable
rows 1
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set jit = off
set work_mem = '64MB'
as $$
#variable_conflict use_column
declare
    earth_radius_km constant double precision := 6371.0088;
    as_of_epoch constant double precision := extract(epoch from as_of);
    unrated_score constant double precision := feed.poster_score(null, 0, 0, 0);
    -- Listings whose content is looked at before the cut is known.
    first_count constant integer := 4 * wanted;
    -- Where the best are looked for first: so near, and among so many of the newest.
    near_km constant double precision := 15;
    newest_count constant integer := 2000;
    p feed.ranking_profiles;
    u record;
    own_x double precision;
    own_y double precision;
    own_z double precision;
    -- Cosines of the angle to what is certainly within max_distance, and perhaps.
    certain_nearness double precision;
    possible_nearness double precision;
    cells integer [];
    near_cells integer [];
    newest_no integer;
    own_tag_nos integer [];
    blocked_tag_nos integer [];
    removed_nos integer [];
    decay_rate double precision;
    fading_rate double precision;
    content_lift double precision := 0;
    own_length double precision;
    poster_lift double precision;
    lifted_nos integer [];
    threshold double precision := '-infinity';
    best record;
    slack double precision;
    current_id constant integer := (select c.model_id from ml.current_model as c);
    chosen_nos integer [];
    chosen_scores double precision [];
    chosen_counts integer [];
    poster_uids uuid [];
    poster_scores double precision [];
    poster_counts integer [];
    similar_nos integer [];
    similar_scores double precision [];
    similar_counts integer [];
begin
    select r.* into p
    from feed.ranking_profiles as r
    where r.profile_name = best_listings.profile_name;

    select
        c.*,
        ext.st_y(c.location::ext.geometry) as lat,
        ext.st_x(c.location::ext.geometry) as lon
    into u
    from feed.user_context(best_listings.user_uid, p.inferred_tag_count) as c;

    own_x := cos(radians(u.lat)) * cos(radians(u.lon));
    own_y := cos(radians(u.lat)) * sin(radians(u.lon));
    own_z := sin(radians(u.lat));

    -- Ten metres around the limit are left to the distance that the reference has.
    if u.lat is not null and u.max_distance < 20000 then
        certain_nearness := cos(greatest(u.max_distance - 0.01, 0) / earth_radius_km);
        possible_nearness := cos((u.max_distance + 0.01) / earth_radius_km);
        cells := feed.cells_within(u.lat, u.lon, u.max_distance);
    elsif u.lat is not null and u.max_distance is not null then
        certain_nearness := 2;
        possible_nearness := -2;
    end if;

    own_tag_nos := array(
        select t.tag_no from feed.tag_numbers as t
        where t.tag = any(u.tags)
        order by t.tag_no
    );
    blocked_tag_nos := array(
        select t.tag_no from feed.tag_numbers as t
        where t.tag = any(u.blocked_tags)
        order by t.tag_no
    );
    removed_nos := array(
        select s.listing_no
        from feed.user_listing_states as s
        where
            s.user_no = u.user_no
            and (
                s.applied_at is not null
                or s.is_dismissed
                or s.last_at > as_of - p.seen_window and s.last_at <= as_of
            )
        union all
        select l.listing_no
        from feed.listings as l
        where l.listing_id = any(exclude)
    );

    decay_rate := -earth_radius_km / p.location_decay_km;
    fading_rate := ln(2::double precision) / extract(epoch from p.recency_half_life);
    -- A cosine near 1 leaves the place open by a quarter of a metre.
    slack := 1e-6 + p.location_weight::double precision * 0.00025 / p.location_decay_km;
    if u.feature_vector is not null then
        content_lift := p.content_weight;
        own_length := (
            select sqrt(sum(w.x::double precision * w.x::double precision))
            from unnest(u.feature_vector) as w (x)
        );
    end if;

    select
        array_agg(k.listing_no),
        array_agg(k.score),
        array_agg(k.neighbor_count)
    into chosen_nos, chosen_scores, chosen_counts
    from feed.collaborative_scores(
        best_listings.user_uid, best_listings.profile_name, best_listings.as_of
    ) as k;

    if p.poster_affinity_weight > 0 then
        select
            array_agg(a.poster_uid),
            array_agg(a.score),
            array_agg(a.choice_count)
        into poster_uids, poster_scores, poster_counts
        from feed.poster_affinities(
            best_listings.user_uid, best_listings.profile_name, best_listings.as_of
        ) as a;
    end if;

    if p.item_similarity_weight > 0 then
        select
            array_agg(i.listing_no),
            array_agg(i.score),
            array_agg(i.choice_count)
        into similar_nos, similar_scores, similar_counts
        from feed.item_similarities(
            best_listings.user_uid, best_listings.profile_name, best_listings.as_of
        ) as i;
    end if;

    -- What a poster can add.
    poster_lift := p.poster_weight::double precision * greatest(
        unrated_score, (select max(o.poster_score) from feed.posters as o)
    )
    + p.poster_affinity_weight::double precision
    * coalesce((select max(f.score) from unnest(poster_scores) as f (score)), 0);
    lifted_nos := coalesce(chosen_nos, '{}') || coalesce(similar_nos, '{}');
    near_cells := array_remove(
        feed.cells_within(u.lat, u.lon, least(u.max_distance, near_km)), -1
    );
    newest_no := (select max(d.listing_no) from feed.listing_digests as d) - newest_count;

    for pass in 1..2 loop
        -- Each step computes a component for what the step before has left; offset 0 keeps the
        -- planner from computing it again where it is used.
        with placed as (
            select
                d.listing_no,
                d.poster_uid,
                d.tag_nos,
                d.listing_no = any(lifted_nos) as is_lifted,
                p.location_weight::double precision
                * case
                    when own_x is null or d.x is null then p.unknown_location_score
                    -- exp of float8 refuses to underflow
                    else exp(
                        greatest(
                            decay_rate * acos(
                                least(greatest(d.x * own_x + d.y * own_y + d.z * own_z, -1), 1)
                            ),
                            -600
                        )
                    )
                end
                + p.engagement_weight::double precision * d.engagement_score
                + p.recency_weight::double precision
                * exp(greatest(least((d.created_epoch - as_of_epoch) * fading_rate, 0), -415))
                as score
            from feed.listing_digests as d
            where
                d.is_open
                and (
                    pass = 2
                    or d.cell_no = any(near_cells)
                    or d.listing_no > newest_no
                    or d.listing_no = any(lifted_nos)
                )
                and (cells is null or d.cell_no = any(cells))
                and d.created_at <= as_of
                and d.expires_at > as_of
                and (d.poster_uid = user_uid) is not true
                and (blocked_tag_nos = '{}' or not d.tag_nos && blocked_tag_nos)
                and d.listing_no <> all(removed_nos)
                and (
                    certain_nearness is null
                    or d.x is null
                    or d.x * own_x + d.y * own_y + d.z * own_z >= certain_nearness
                    or (
                        d.x * own_x + d.y * own_y + d.z * own_z >= possible_nearness
                        and (
                            select ext.st_distance(u.location, l.location, false) / 1000
                            from feed.listings as l
                            where l.listing_no = d.listing_no
                        ) <= u.max_distance
                    )
                )
            offset 0
        ),

        tagged as (
            select
                d.listing_no,
                d.poster_uid,
                d.is_lifted,
                d.score
                + p.tag_weight::double precision
                * case
                    when own_tag_nos = '{}' then 0
                    -- the common over all: 1 / ((a + b) / common - 1)
                    else coalesce(
                        1 / (
                            (cardinality(u.tags) + cardinality(d.tag_nos))::double precision
                            / nullif(ext.icount(d.tag_nos operator(ext.&) own_tag_nos), 0)
                            - 1
                        ),
                        0
                    )
                end as score
            from placed as d
            where
                d.is_lifted
                -- What two sets have in common is no more than the smaller one.
                or d.score
                + p.tag_weight::double precision
                * case
                    when own_tag_nos = '{}' then 0
                    else
                        least(cardinality(own_tag_nos), cardinality(d.tag_nos))::double precision
                        / greatest(cardinality(u.tags), cardinality(d.tag_nos))
                end
                >= threshold - slack - poster_lift - content_lift
            offset 0
        ),

        base as materialized (
            select
                d.listing_no,
                d.poster_uid,
                d.score
                + p.poster_weight::double precision * coalesce(o.poster_score, unrated_score)
                + p.collaborative_weight::double precision * coalesce(k.score, 0)
                + p.poster_affinity_weight::double precision * coalesce(f.score, 0)
                + p.item_similarity_weight::double precision * coalesce(i.score, 0) as score
            from tagged as d
            left join feed.posters as o using (poster_uid)
            left join unnest(chosen_nos, chosen_scores)
                as k (listing_no, score) using (listing_no)
            left join unnest(poster_uids, poster_scores)
                as f (poster_uid, score) using (poster_uid)
            left join unnest(similar_nos, similar_scores)
                as i (listing_no, score) using (listing_no)
            where
                d.is_lifted
                or d.score >= threshold - slack - poster_lift - content_lift
        ),

        -- What the wanted-th best has at least.
        first_cut as materialized (
            select
                greatest(
                    threshold,
                    (
                        select
                            b.score + content_lift * c.content_score
                        from (
                            select e.*
                            from base as e
                            order by e.score desc
                            limit first_count
                        ) as b
                        cross join lateral feed.listing_content(
                            b.listing_no, current_id, u.feature_vector, own_length
                        ) as c
                        order by 1 desc
                        offset wanted - 1
                        limit 1
                    )
                ) as score
        ),

        scored as materialized (
            select
                b.listing_no,
                b.poster_uid,
                c.content_score,
                b.score + content_lift * c.content_score as score
            from base as b
            cross join lateral feed.listing_content(
                b.listing_no, current_id, u.feature_vector, own_length
            ) as c
            where b.score >= (select f.score from first_cut as f) - content_lift - slack
        ),

        cut as materialized (
            select
                greatest(
                    threshold,
                    (
                        select s.score
                        from scored as s
                        order by s.score desc
                        offset wanted - 1
                        limit 1
                    )
                ) as score
        )

        select
            (select c.score from cut as c) as cut,
            array_agg(s.listing_no) as listing_nos,
            array_agg(coalesce(k.score, 0)) as collaborative_scores,
            array_agg(coalesce(k.neighbor_count, 0)) as neighbor_counts,
            array_agg(s.content_score) as content_scores,
            array_agg(coalesce(f.score, 0)) as poster_affinity_scores,
            array_agg(coalesce(f.choice_count, 0)) as poster_choice_counts,
            array_agg(coalesce(i.score, 0)) as item_similarity_scores,
            array_agg(coalesce(i.choice_count, 0)) as similar_choice_counts
        into best
        from scored as s
        left join unnest(chosen_nos, chosen_scores, chosen_counts)
            as k (listing_no, score, neighbor_count) using (listing_no)
        left join unnest(poster_uids, poster_scores, poster_counts)
            as f (poster_uid, score, choice_count) using (poster_uid)
        left join unnest(similar_nos, similar_scores, similar_counts)
            as i (listing_no, score, choice_count) using (listing_no)
        where s.score >= (select c.score from cut as c) - slack;

        threshold := best.cut;
    end loop;

    if p.poster_affinity_weight = 0 then
        best.poster_affinity_scores := null;
        best.poster_choice_counts := null;
    end if;

    if p.item_similarity_weight = 0 then
        best.item_similarity_scores := null;
        best.similar_choice_counts := null;
    end if;

    return query select
        best.listing_nos,
        best.collaborative_scores,
        best.neighbor_counts,
        best.content_scores,
        best.poster_affinity_scores,
        best.poster_choice_counts,
        best.item_similarity_scores,
        best.similar_choice_counts;
end;
$$;

comment on function feed.best_listings is
'A superset of the user''s best `wanted` eligible listings, found in feed.listing_digests. Each with
its collaborative score, number of neighbors and content score, and with its poster affinity and
item similarity and the choices behind them where the profile weighs these, null where not.';

revoke execute on function feed.best_listings from public;
