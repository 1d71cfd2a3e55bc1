-- New posters.

insert into feed.posters (
    poster_uid,
    average_rating,
    rating_count,
    accepted_count,
    completed_count,
    created_at
)
select
    s.poster_uid,
    s.average_rating,
    coalesce(s.rating_count, 0) as rating_count,
    coalesce(s.accepted_count, 0) as accepted_count,
    coalesce(s.completed_count, 0) as completed_count,
    least(coalesce(s.first_listing_at + c.shift, now()), now()) as created_at
from pg_temp.stated_posters as s
cross join staged_clock as c
where
    not exists (
        select from feed.posters as p
        where p.poster_uid = s.poster_uid
    )
order by s.poster_uid;
