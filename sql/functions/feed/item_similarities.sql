-- What goes with the user's latest choices, so that a click changes the next feed.
--
-- Which listings go together is found by training; what the user chose is as of now.
--
-- Called by   feed.candidate_listings, python/pgfeed/engine
-- Reads       feed.user_choices, ml.listing_neighbors of the current model

create or replace function feed.item_similarities(
    user_uid uuid,
    profile_name text,
    as_of timestamptz
)
returns table (listing_no integer, score double precision, choice_count integer)
language sql
stable
parallel safe
begin atomic
    with history as (
        select
            h.listing_no,
            h.weight
        from feed.ranking_profiles as p
        cross join
            lateral (
                select
                    c.listing_no,
                    c.interest
                    * feed.recency_score(item_similarities.as_of - c.last_at, p.history_half_life)
                        as weight
                from feed.user_choices(item_similarities.user_uid, item_similarities.as_of) as c
                order by c.last_at desc, c.listing_no asc
                limit p.history_limit
            ) as h
        where p.profile_name = item_similarities.profile_name
    )

    select
        n.listing_no,
        feed.item_similarity_score(
            sum(h.weight * n.similarity::double precision),
            (select sum(e.weight) from history as e)
        ),
        count(*)::integer
    from history as h
    inner join ml.listing_neighbors as m
        on
            h.listing_no = m.listing_no
            and m.model_id = (select c.model_id from ml.current_model as c)
    cross join lateral unnest(m.neighbor_nos, m.similarities) as n (listing_no, similarity)
    group by n.listing_no;
end;

comment on function feed.item_similarities is
'For each listing that goes with one of the user''s history_limit latest choices: the mean of
their similarity to it, each weighted by interest, halved every history_half_life, and with how many
of them it goes. A choice that it does not go with counts with similarity 0. No row means 0.';
