-- What the users most similar to this one chose lately.
--
-- Called by   feed.candidate_listings
-- Reads       feed.neighbor_choices

create or replace function feed.collaborative_scores(
    user_uid uuid,
    profile_name text,
    as_of timestamptz
)
returns table (listing_no integer, score double precision, neighbor_count integer)
language sql
stable
parallel safe
begin atomic
    select
        c.listing_no,
        sum(c.contribution),
        (count(*) filter (where c.contribution > 0))::integer
    from feed.neighbor_choices(
            collaborative_scores.user_uid,
            collaborative_scores.profile_name,
            collaborative_scores.as_of
        ) as c
    group by c.listing_no;
end;

comment on function feed.collaborative_scores is
'For each listing that a neighbor touched within the profile''s window: the mean of their
interest (strongest_weight / 10 in [0,1], 0 if dismissed) weighted by similarity over all
neighbors, and how many of them chose it. No row means 0.';
