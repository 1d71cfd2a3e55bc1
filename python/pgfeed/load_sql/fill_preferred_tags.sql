-- Tags of user_tags become the preferred tags of users who have none; blocked ones stay out.

insert into feed.user_feed_preferences as p (user_uid, preferred_tags)
select
    s.user_uid,
    array(
        select t.tag
        from unnest(s.tags) as t (tag)
        where not (t.tag = any(coalesce(q.blocked_tags, '{}')))
    ) as preferred_tags
from staged_user_tags as s
left join feed.user_feed_preferences as q on s.user_uid = q.user_uid
where
    coalesce(q.preferred_tags, '{}') = '{}'
    and not s.tags <@ coalesce(q.blocked_tags, '{}')
order by s.user_uid
on conflict (user_uid) do update set
    preferred_tags = excluded.preferred_tags;
