-- Known posters' figures, where the files say otherwise; what they do not say stays.

with stated as (
    select
        s.poster_uid,
        coalesce(s.average_rating, p.average_rating) as average_rating,
        coalesce(s.rating_count, p.rating_count) as rating_count,
        coalesce(s.accepted_count, p.accepted_count) as accepted_count,
        coalesce(s.completed_count, p.completed_count) as completed_count
    from pg_temp.stated_posters as s
    inner join feed.posters as p on s.poster_uid = p.poster_uid
)

update feed.posters as p
set
    average_rating = s.average_rating,
    rating_count = s.rating_count,
    accepted_count = s.accepted_count,
    completed_count = s.completed_count
from stated as s
where
    p.poster_uid = s.poster_uid
    and (p.average_rating, p.rating_count, p.accepted_count, p.completed_count)
    is distinct from
    (s.average_rating, s.rating_count, s.accepted_count, s.completed_count);
