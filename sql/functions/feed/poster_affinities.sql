-- How often this user chose something of a poster, lately more than long ago.
--
-- A listing is of the poster who has it now.
--
-- Called by   feed.candidate_listings, python/pgfeed/engine
-- Reads       feed.user_choices

create or replace function feed.poster_affinities(
    user_uid uuid,
    profile_name text,
    as_of timestamptz
)
returns table (poster_uid uuid, score double precision, choice_count integer)
language sql
stable
parallel safe
begin atomic
    select
        l.poster_uid,
        feed.poster_affinity_score(
            sum(
                c.interest
                * feed.recency_score(poster_affinities.as_of - c.last_at, p.affinity_half_life)
            ),
            p.affinity_smoothing
        ),
        count(*)::integer
    from feed.ranking_profiles as p
    cross join
        lateral feed.user_choices(
            poster_affinities.user_uid, poster_affinities.as_of
        ) as c
    inner join feed.listings as l using (listing_no)
    where
        p.profile_name = poster_affinities.profile_name
        and l.poster_uid is not null
    group by l.poster_uid, p.affinity_smoothing;
end;

comment on function feed.poster_affinities is
'For each poster of whom the user chose a listing: the sum a of their interest, each choice halved
every affinity_half_life, as a / (a + affinity_smoothing), and how many listings it were. No row
means 0.';
