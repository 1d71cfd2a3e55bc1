-- What each of the users most similar to this one chose lately, by listing.
--
-- Personalisation that was switched off since the training, by the user or by a neighbor,
-- counts from that commit on.
--
-- Called by   feed.collaborative_scores, python/pgfeed/engine
-- Reads       ml.user_neighbors of the current model, feed.user_listing_states

create or replace function feed.neighbor_choices(
    user_uid uuid,
    profile_name text,
    as_of timestamptz
)
returns table (listing_no integer, contribution double precision)
language sql
stable
parallel safe
begin atomic
    with neighbors as (
        select
            n.user_no,
            n.similarity::double precision as similarity
        from feed.users as u
        left join feed.user_feed_preferences as p using (user_uid)
        inner join ml.user_neighbors as m
            on
                u.user_no = m.user_no
                and m.model_id = (select c.model_id from ml.current_model as c)
        cross join lateral unnest(m.neighbor_nos, m.similarities) as n (user_no, similarity)
        inner join feed.users as v on n.user_no = v.user_no
        left join feed.user_feed_preferences as q on v.user_uid = q.user_uid
        where
            u.user_uid = neighbor_choices.user_uid
            and n.similarity > 0
            and coalesce(p.personalization_enabled, true)
            and coalesce(q.personalization_enabled, true)
    )

    select
        s.listing_no,
        n.similarity * least(1, greatest(0, s.strongest_weight / 10.0::double precision))
        / (select sum(a.similarity) from neighbors as a) as contribution
    from neighbors as n
    inner join feed.user_listing_states as s using (user_no)
    where
        not s.is_dismissed
        and s.last_at > neighbor_choices.as_of - (
            select f.collaborative_window from feed.ranking_profiles as f
            where f.profile_name = neighbor_choices.profile_name
        )
        and s.last_at <= neighbor_choices.as_of;
end;

comment on function feed.neighbor_choices is
'One row for each listing that a neighbor touched within the profile''s window, for each such
neighbor: their interest (strongest_weight / 10 in [0,1]) times their similarity, over the sum
of all neighbors'' similarity. Dismissed listings have none.';
