-- What feeds showed. Tickets are of a key that never was, so that nobody can send them.

insert into feed.feed_impressions (
    ticket, user_uid, listing_id, position, score, profile_name, created_at
)
select
    feed.ticket_body(0, s.listing_id, s.position, s.score, s.profile_name, s.shown_at)
    || '.' || repeat('0', 22) as ticket,
    s.user_uid,
    s.listing_id,
    s.position,
    s.score,
    s.profile_name,
    s.shown_at
from (
    select
        i.user_uid,
        i.listing_id,
        i.position,
        i.score,
        (array['default', 'nearby'])[i.profile_number] as profile_name,
        i.created_at + c.shift as shown_at
    from staged_impressions as i
    cross join staged_clock as c
    -- the rows' own checks are off
    inner join feed.users as u using (user_uid)
    inner join feed.listings as l using (listing_id)
) as s
order by s.user_uid, s.listing_id, s.shown_at
on conflict do nothing;
