-- The interactions that count, of some days, with the seconds of the views.
--
-- What counts is feed.counted_interactions' business alone. A counted view stands for all views
-- of its user, listing and hour, so it has the seconds of all of them.
--
-- Called by   analytics.refresh_days, analytics.attributed_events

create or replace function analytics.counted_events(from_day date, to_day date)
returns table (
    user_uid uuid,
    listing_id uuid,
    type feed.interaction_type,
    counted_at timestamptz,
    seconds double precision
)
language sql
stable
begin atomic
    with looks as (
        select
            i.user_uid,
            i.listing_id,
            feed.dedup_hour(i.type, i.created_at) as hour,
            sum((i.metadata ->> 'seconds')::double precision) as seconds
        from feed.user_interactions as i
        where
            i.type = 'view'
            and i.created_at >= analytics.day_start(counted_events.from_day)
            and i.created_at < analytics.day_start(counted_events.to_day + 1)
            and i.metadata ? 'seconds'
        group by i.user_uid, i.listing_id, feed.dedup_hour(i.type, i.created_at)
    )

    select
        c.user_uid,
        c.listing_id,
        c.type,
        c.counted_at,
        coalesce(s.seconds, 0)
    from feed.counted_interactions(
            analytics.day_start(counted_events.from_day) - interval '1 microsecond',
            analytics.day_start(counted_events.to_day + 1) - interval '1 microsecond'
        ) as c
    left join looks as s
        on
            c.user_uid = s.user_uid
            and c.listing_id = s.listing_id
            and c.type = 'view'
            and feed.dedup_hour('view', c.counted_at) = s.hour;
end;

comment on function analytics.counted_events is
'feed.counted_interactions of the days (UTC) from from_day to to_day, both inclusive; a view with
the seconds of all views of its user, listing and hour, 0 where none were sent.';
