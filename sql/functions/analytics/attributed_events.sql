-- Which impression an interaction came from.
--
-- The user's latest impression of that listing at or before it, if it is not older than
-- attribution_window. The day is the interaction's, so that a day that is over changes only by
-- what comes in late.
--
-- Called by   analytics.refresh_days, analytics.refresh_experiments, feed.impression_choices

create or replace function analytics.attributed_events(
    from_day date,
    to_day date,
    attribution_window interval
)
returns table (
    day date,
    user_uid uuid,
    listing_id uuid,
    profile_name text,
    shown_position integer,
    type feed.interaction_type,
    seconds double precision,
    shown_at timestamptz
)
language sql
stable
begin atomic
    select
        analytics.day_of(a.counted_at),
        a.user_uid,
        a.listing_id,
        a.profile_name,
        a.position,
        a.type,
        a.seconds,
        a.shown_at
    from (
        select distinct on (e.user_uid, e.listing_id, e.type, e.counted_at)
            e.user_uid,
            e.listing_id,
            e.counted_at,
            e.type,
            e.seconds,
            i.profile_name,
            i.position,
            i.created_at as shown_at
        from analytics.counted_events(
                attributed_events.from_day, attributed_events.to_day
            ) as e
        inner join feed.feed_impressions as i
            on
                e.user_uid = i.user_uid
                and e.listing_id = i.listing_id
                and e.counted_at >= i.created_at
                and i.created_at >= e.counted_at - attributed_events.attribution_window
        where
            -- follows from the above, and tells which months can have them
            i.created_at >= analytics.day_start(attributed_events.from_day)
            - attributed_events.attribution_window
            and i.created_at < analytics.day_start(attributed_events.to_day + 1)
        order by
            e.user_uid asc, e.listing_id asc, e.type asc, e.counted_at asc, i.created_at desc
    ) as a;
end;

comment on function analytics.attributed_events is
'Counted interactions of the days from from_day to to_day (both inclusive) that
belong to an impression: the user''s latest of that listing at or before the interaction, not
older than attribution_window.';
