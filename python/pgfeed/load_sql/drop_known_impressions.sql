-- Out of the way: impressions that an earlier load brought.

delete from staged_impressions as s
using feed.feed_impressions as i, staged_clock as c
where
    s.user_uid = i.user_uid
    and s.listing_id = i.listing_id
    and i.created_at = s.created_at + c.shift;
