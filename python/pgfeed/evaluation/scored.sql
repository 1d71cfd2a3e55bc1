-- Every candidate of a user in the feed's order, packed: uuid (16 bytes), the nine
-- components and the score (float8 each, as PostgreSQL sends them).

select
    coalesce(
        string_agg(
            uuid_send(s.listing_id)
            -- Beside the components, what two of them are made of: km, NaN where unknown, and days.
            || float8send(coalesce(s.distance_km, 'NaN'))
            || float8send(extract(epoch from %(as_of)s - s.created_at)::double precision / 86400)
            || float8send(s.location_score)
            || float8send(s.tag_score)
            || float8send(s.engagement_score)
            || float8send(s.recency_score)
            || float8send(s.poster_score)
            || float8send(s.collaborative_score)
            || float8send(s.content_score)
            || float8send(s.poster_affinity_score)
            || float8send(s.item_similarity_score)
            || float8send(s.score),
            ''::bytea
            order by round(s.score::numeric, 9) desc, s.created_at desc, s.listing_id asc
        ),
        ''::bytea
    ) as candidates
from feed.score_listings(%(user_uid)s, %(profile)s, %(as_of)s) as s;
