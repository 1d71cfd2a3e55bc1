-- What the plain-SQL feed needs of a user before it can be written with their constants in it.
select
    coalesce(u.user_no, 0) as user_no,
    u.max_distance,
    ext.st_y(u.location::ext.geometry) as lat,
    ext.st_x(u.location::ext.geometry) as lon,
    cardinality(u.tags) as tag_count,
    u.feature_vector::double precision[] as vector,
    array(
        select n.tag_no from feed.tag_numbers as n where n.tag = any(u.tags) order by n.tag_no
    ) as tag_nos,
    array(
        select n.tag_no from feed.tag_numbers as n where n.tag = any(u.blocked_tags)
        order by n.tag_no
    ) as blocked_tag_nos,
    clock_timestamp() as as_of,
    extract(epoch from clock_timestamp())::double precision as as_of_epoch
from feed.user_context(%(user_uid)s, %(inferred_tag_count)s) as u
