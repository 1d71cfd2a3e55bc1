-- A user's facts for the bare kernel, at an instant.
select
    u.user_no,
    ext.st_y(u.location::ext.geometry) as lat,
    ext.st_x(u.location::ext.geometry) as lon,
    u.max_distance,
    cardinality(u.tags) as tag_count,
    u.feature_vector as vector,
    array(
        select n.tag_no from feed.tag_numbers as n where n.tag = any(u.tags) order by n.tag_no
    ) as tag_nos,
    array(
        select n.tag_no from feed.tag_numbers as n where n.tag = any(u.blocked_tags)
        order by n.tag_no
    ) as blocked_tag_nos,
    array(
        select s.listing_no
        from feed.user_listing_states as s
        where
            s.user_no = u.user_no
            and (
                s.applied_at is not null
                or s.is_dismissed
                or s.last_at > %(as_of)s - p.seen_window and s.last_at <= %(as_of)s
            )
    ) as removed_nos,
    coalesce(k.listing_nos, '{}') as collaborative_nos,
    coalesce(k.scores, '{}') as collaborative_scores
from feed.ranking_profiles as p
cross join lateral feed.user_context(%(user_uid)s, p.inferred_tag_count) as u
cross join lateral (
    select
        array_agg(c.listing_no) as listing_nos,
        array_agg(c.score) as scores
    from feed.collaborative_scores(%(user_uid)s, 'default', %(as_of)s) as c
) as k
where p.profile_name = 'default'
