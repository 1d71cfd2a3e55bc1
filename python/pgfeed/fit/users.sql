-- users.csv of the database: everybody, with the moment from which their wishes are known.
--
-- A wish may have been another before its last change, so it counts from then on. Somebody whose
-- personalisation is off has it off all the time: nothing may be learned from them.

select
    u.user_uid,
    ext.st_y(u.location::ext.geometry) as lat,
    ext.st_x(u.location::ext.geometry) as lon,
    to_char(u.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as created_at,
    translate(array_to_string(p.preferred_tags, e'\n'), e'|\n', '¦|') as preferred_tags,
    translate(array_to_string(p.blocked_tags, e'\n'), e'|\n', '¦|') as blocked_tags,
    p.max_distance,
    coalesce(p.personalization_enabled, true) as personalization_enabled,
    to_char(
        greatest(u.created_at, p.updated_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    ) as wishes_known_from
from feed.users as u
left join feed.user_feed_preferences as p using (user_uid)
order by u.user_no
