begin;

select
    poster_uid,
    average_rating,
    rating_count,
    accepted_count,
    completed_count,
    poster_score,
    created_at
from feed.posters
where false;

rollback;
