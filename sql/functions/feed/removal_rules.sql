-- Every rule that keeps a listing out of a user's feed, by name.
--
-- Called by   feed.candidate_listings

create or replace function feed.removal_rules(
    listing feed.listings,
    state feed.user_listing_states,
    user_uid uuid,
    blocked_tags text[],
    distance_km double precision,
    max_distance double precision,
    seen_window interval,
    as_of timestamptz
)
returns text[]
language sql
stable
parallel safe
return array_remove(
    array[
        case when (listing).status <> 'open' then 'closed' end,
        case when (listing).expires_at <= as_of then 'expired' end,
        case when (listing).created_at > as_of then 'not_yet_created' end,
        case when (listing).poster_uid = user_uid then 'own_listing' end,
        case when (listing).tags && blocked_tags then 'blocked_tag' end,
        case when distance_km > max_distance then 'too_far' end,
        case when (state).applied_at is not null then 'applied' end,
        case when (state).is_dismissed then 'dismissed' end,
        case
            when (state).last_at > as_of - seen_window and (state).last_at <= as_of
                then 'seen_recently'
        end
    ],
    null
);

comment on function feed.removal_rules is
'Names of the rules that remove the listing from the user''s feed; empty if it is eligible.
closed, expired, not_yet_created, own_listing, blocked_tag, too_far, applied, dismissed,
seen_recently.';
