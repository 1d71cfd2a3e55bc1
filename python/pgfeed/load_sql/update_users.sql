-- A known user's place; a place that the file does not know stays as it is.

update feed.users as u
set location = s.location
from (
    select
        s.user_uid,
        ext.st_setsrid(ext.st_makepoint(s.lon, s.lat), 4326)::ext.geography as location
    from staged_users as s
    where s.lat is not null
) as s
where
    u.user_uid = s.user_uid
    and (
        u.location is null
        or not ext.st_equals(u.location::ext.geometry, s.location::ext.geometry)
    );
