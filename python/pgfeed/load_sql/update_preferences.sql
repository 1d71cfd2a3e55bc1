-- Known preferences, where the file says otherwise; what it does not say stays.

with stated as (
    select
        s.user_uid,
        coalesce(s.max_distance, p.max_distance) as max_distance,
        feed.normalized_tags(coalesce(s.preferred_tags, p.preferred_tags)) as preferred_tags,
        feed.normalized_tags(coalesce(s.blocked_tags, p.blocked_tags)) as blocked_tags,
        coalesce(s.personalization_enabled, p.personalization_enabled)
            as personalization_enabled
    from staged_users as s
    inner join feed.user_feed_preferences as p on s.user_uid = p.user_uid
)

update feed.user_feed_preferences as p
set
    max_distance = s.max_distance,
    preferred_tags = s.preferred_tags,
    blocked_tags = s.blocked_tags,
    personalization_enabled = s.personalization_enabled
from stated as s
where
    p.user_uid = s.user_uid
    and (p.max_distance, p.preferred_tags, p.blocked_tags, p.personalization_enabled)
    is distinct from
    (s.max_distance, s.preferred_tags, s.blocked_tags, s.personalization_enabled);
