-- What one user chose themselves: their side of the user-item matrix, as interest.
--
-- With personalisation off there is none: nothing of what the user did enters their feed but
-- the exclusions.
--
-- Called by   feed.poster_affinities, feed.item_similarities
-- Reads       feed.user_listing_states

create or replace function feed.user_choices(user_uid uuid, as_of timestamptz)
returns table (listing_no integer, interest double precision, last_at timestamptz)
language sql
stable
parallel safe
begin atomic
    select
        s.listing_no,
        least(1, s.strongest_weight / 10.0::double precision),
        s.last_at
    from feed.users as u
    left join feed.user_feed_preferences as p using (user_uid)
    inner join feed.user_listing_states as s using (user_no)
    where
        u.user_uid = user_choices.user_uid
        and coalesce(p.personalization_enabled, true)
        and not s.is_dismissed
        and s.strongest_weight > 0
        and s.last_at <= user_choices.as_of;
end;

comment on function feed.user_choices is
'One row for each listing that the user did something with by as_of, and did not dismiss: their
interest (strongest_weight / 10, at most 1), where it is above 0. No row with personalisation off.';
