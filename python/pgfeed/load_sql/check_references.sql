-- Once more, now that users and listings are locked: does every interaction point somewhere?
-- Returns the number of those that do not.

select count(*)
from staged_interactions as s
left join feed.users as u on s.user_uid = u.user_uid
left join feed.listings as l on s.listing_id = l.listing_id
where
    u.user_uid is null
    or l.listing_id is null;
