-- Preferences of the users whose row says anything about them; what it does not say stays.

insert into feed.user_feed_preferences as p (
    user_uid,
    max_distance,
    preferred_tags,
    blocked_tags,
    personalization_enabled
)
select
    s.user_uid,
    s.max_distance,
    coalesce(s.preferred_tags, '{}') as preferred_tags,
    coalesce(s.blocked_tags, '{}') as blocked_tags,
    coalesce(s.personalization_enabled, true) as personalization_enabled
from staged_users as s
where
    not exists (
        select from feed.user_feed_preferences as p
        where p.user_uid = s.user_uid
    )
    and (
        s.max_distance is not null
        or s.preferred_tags <> '{}'
        or s.blocked_tags <> '{}'
        or s.personalization_enabled is not null
    )
order by s.user_uid;
