-- New users, from users and from the posters of listings, the oldest first, so that
-- user_no follows age. One without created_at is as old as their first interaction or
-- listing.

with people as (
    select
        s.user_uid,
        s.lat,
        s.lon,
        s.created_at
    from staged_users as s

    union all

    select distinct
        p.poster_uid as user_uid,
        null::double precision as lat,
        null::double precision as lon,
        null::timestamptz as created_at
    from (
        select l.poster_uid from staged_listings as l
        where l.poster_uid is not null
        union
        select q.poster_uid from staged_posters as q
    ) as p
    where
        not exists (
            select from staged_users as s
            where s.user_uid = p.poster_uid
        )
),

newcomers as (
    select
        p.user_uid,
        p.lat,
        p.lon,
        p.created_at
    from people as p
    where
        not exists (
            select from feed.users as u
            where u.user_uid = p.user_uid
        )
),

first_acts as (
    select
        a.user_uid,
        min(a.created_at) as created_at
    from (
        select
            i.user_uid,
            i.created_at
        from staged_interactions as i
        union all
        select
            l.poster_uid as user_uid,
            l.created_at
        from staged_listings as l
        where l.created_at is not null
    ) as a
    where
        a.user_uid in (
            select n.user_uid from newcomers as n
            where n.created_at is null
        )
    group by a.user_uid
)

insert into feed.users (user_uid, location, created_at)
select
    n.user_uid,
    ext.st_setsrid(ext.st_makepoint(n.lon, n.lat), 4326)::ext.geography as location,
    least(coalesce(n.created_at, f.created_at) + c.shift, now()) as created_at
from newcomers as n
cross join staged_clock as c
left join first_acts as f on n.user_uid = f.user_uid
order by created_at, n.user_uid;
