begin;

select
    u.user_uid,
    u.user_no,
    u.location,
    u.created_at,
    p.max_distance,
    p.preferred_tags,
    p.blocked_tags,
    p.personalization_enabled,
    p.updated_at
from feed.users as u
inner join feed.user_feed_preferences as p using (user_uid)
where false;

select 1 / (feed.normalized_tags(array[' B ', 'a', 'b', '', null]) = array['a', 'b'])::integer;

rollback;
