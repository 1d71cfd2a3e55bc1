-- What no single row can tell: ids that come twice, and rows that point nowhere.
-- Returns table_name, line, reason, and how many there are in all; the first 20.

with problems as (
    select
        'users' as table_name,
        s.line,
        format('user_uid %s is already on line %s', s.user_uid, s.first_line) as reason
    from (
        select
            u.line,
            u.user_uid,
            first_value(u.line) over (partition by u.user_uid order by u.line) as first_line
        from staged_users as u
    ) as s
    where s.line > s.first_line

    union all

    select
        'posters' as table_name,
        s.line,
        format('poster_id %s is already on line %s', s.poster_uid, s.first_line) as reason
    from (
        select
            p.line,
            p.poster_uid,
            first_value(p.line) over (partition by p.poster_uid order by p.line) as first_line
        from staged_posters as p
    ) as s
    where s.line > s.first_line

    union all

    select
        'listings' as table_name,
        s.line,
        format('listing_id %s is already on line %s', s.listing_id, s.first_line) as reason
    from (
        select
            l.line,
            l.listing_id,
            first_value(l.line) over (partition by l.listing_id order by l.line) as first_line
        from staged_listings as l
    ) as s
    where s.line > s.first_line

    union all

    select
        'listings' as table_name,
        s.line,
        format(
            'external_id %s of poster %s is already on line %s',
            s.external_id, s.poster_uid, s.first_line
        ) as reason
    from (
        select
            l.line,
            l.poster_uid,
            l.external_id,
            first_value(l.line) over (
                partition by l.poster_uid, l.external_id order by l.line
            ) as first_line
        from staged_listings as l
        where l.poster_uid is not null and l.external_id is not null
    ) as s
    where s.line > s.first_line

    union all

    select
        'listings' as table_name,
        s.line,
        format(
            'external_id %s of poster %s is listing %s in the database',
            s.external_id, s.poster_uid, l.listing_id
        ) as reason
    from staged_listings as s
    inner join feed.listings as l
        on s.poster_uid = l.poster_uid and s.external_id = l.external_id
    where s.listing_id <> l.listing_id

    union all

    -- Ratings and own listings hang on who posted it: that does not change.
    select
        'listings' as table_name,
        s.line,
        format(
            'poster_id %s, but in the database the listing is that of %s',
            s.poster_uid, l.poster_uid
        ) as reason
    from staged_listings as s
    inner join feed.listings as l on s.listing_id = l.listing_id
    where s.poster_uid <> l.poster_uid

    union all

    select
        'interactions' as table_name,
        s.line,
        format('the same user, listing, type and time are already on line %s', s.first_line)
            as reason
    from (
        select
            i.line,
            min(i.line) over (partition by i.event_id) as first_line
        from staged_interactions as i
    ) as s
    where s.line > s.first_line

    union all

    select
        'interactions' as table_name,
        s.line,
        format('user_uid %s is no user of the files or the database', s.user_uid) as reason
    from staged_interactions as s
    where
        not exists (
            select from staged_users as u
            where u.user_uid = s.user_uid
        )
        and not exists (
            select from staged_posters as p
            where p.poster_uid = s.user_uid
        )
        and not exists (
            select from staged_listings as l
            where l.poster_uid = s.user_uid
        )
        and not exists (
            select from feed.users as u
            where u.user_uid = s.user_uid
        )

    union all

    select
        'interactions' as table_name,
        s.line,
        format('listing_id %s is no listing of the files or the database', s.listing_id)
            as reason
    from staged_interactions as s
    where
        not exists (
            select from staged_listings as l
            where l.listing_id = s.listing_id
        )
        and not exists (
            select from feed.listings as l
            where l.listing_id = s.listing_id
        )

    union all

    select
        'interactions' as table_name,
        s.line,
        format('ts %s lies in the future', s.created_at at time zone 'UTC') as reason
    from staged_interactions as s
    cross join staged_clock as c
    where s.created_at + c.shift > clock_timestamp()

    union all

    select
        'user_tags' as table_name,
        s.line,
        format('user_uid %s is already on line %s', s.user_uid, s.first_line) as reason
    from (
        select
            t.line,
            t.user_uid,
            first_value(t.line) over (partition by t.user_uid order by t.line) as first_line
        from staged_user_tags as t
    ) as s
    where s.line > s.first_line

    union all

    select
        'user_tags' as table_name,
        s.line,
        format('user_uid %s is no user of the files or the database', s.user_uid) as reason
    from staged_user_tags as s
    where
        not exists (
            select from staged_users as u
            where u.user_uid = s.user_uid
        )
        and not exists (
            select from feed.users as u
            where u.user_uid = s.user_uid
        )
)

select
    p.table_name,
    p.line,
    p.reason,
    count(*) over () as problem_count
from problems as p
order by
    array_position(
        '{users,posters,listings,interactions,user_tags}'::text[], p.table_name
    ),
    p.line
limit 20;
