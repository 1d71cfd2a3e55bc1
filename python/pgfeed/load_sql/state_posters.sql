-- What the files say of posters: posters.csv, and for others the rating that stands beside
-- their newest rated listing, which counts as %(rating_count)s ratings.

create temporary table stated_posters on commit drop as
select
    p.poster_uid,
    coalesce(s.average_rating, r.poster_rating) as average_rating,
    coalesce(
        s.rating_count,
        case when coalesce(s.average_rating, r.poster_rating) is not null then %(rating_count)s end
    ) as rating_count,
    s.accepted_count,
    s.completed_count,
    p.first_listing_at
from (
    select
        l.poster_uid,
        min(l.created_at) as first_listing_at
    from staged_listings as l
    where l.poster_uid is not null
    group by l.poster_uid
    union
    select
        q.poster_uid,
        null as first_listing_at
    from staged_posters as q
    where not exists (select from staged_listings as l where l.poster_uid = q.poster_uid)
) as p
left join staged_posters as s on p.poster_uid = s.poster_uid
left join (
    select distinct on (l.poster_uid)
        l.poster_uid,
        l.poster_rating
    from staged_listings as l
    where l.poster_rating is not null
    order by l.poster_uid, l.created_at desc nulls last, l.listing_id
) as r on p.poster_uid = r.poster_uid;
