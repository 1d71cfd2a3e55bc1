-- The best listings of a user in plain SQL: all seven components and the exclusions.
--
-- {listings}, {location}, {tag}, {content}, {eligible}: arithmetic on the user's constants,
-- inlined by pgfeed.bench.plain. Content is computed for those listings only that it can lift
-- among the best: the cut comes from the {first} best without it.
with base as materialized (
    select
        b.listing_no,
        {location}
        + {tag}
        + {engagement_weight} * b.engagement
        + {recency_weight} * exp(least(0, (b.created_at - {as_of_epoch}) * {recency_rate}))
        + {poster_weight} * b.poster
        + {collaborative_weight} * coalesce(k.score, 0) as score
    from {listings} as b
    left join feed.collaborative_scores({user_uid}, 'default', {as_of}) as k using (listing_no)
    where
        b.expires_at > {as_of_epoch}
        and b.created_at <= {as_of_epoch}
        and b.poster_no <> {user_no}
        {eligible}
        and not exists (
            select
            from feed.user_listing_states as s
            where
                s.user_no = {user_no}
                and s.listing_no = b.listing_no
                and (
                    s.applied_at is not null
                    or s.is_dismissed
                    or s.last_at > {as_of}::timestamptz - {seen_window}::interval
                )
        )
),

firsts as materialized (
    select f.score + {content} as score
    from (select b.* from base as b order by b.score desc limit {first}) as f
    left join bench_plain.vectors as v using (listing_no)
),

cut as materialized (
    select coalesce(
        (select f.score from firsts as f order by f.score desc offset {wanted} - 1 limit 1), -1
    ) as score
),

best as (
    select
        f.listing_no,
        f.score + {content} as score
    from base as f
    left join bench_plain.vectors as v using (listing_no)
    where f.score >= (select c.score from cut as c) - {content_weight}
    order by 2 desc
    limit {wanted}
)

select
    l.listing_id,
    l.poster_uid,
    l.title,
    l.description,
    l.url,
    l.tags,
    l.compensation,
    l.created_at,
    l.listing_no,
    b.score
from best as b
inner join feed.listings as l using (listing_no)
order by b.score desc
