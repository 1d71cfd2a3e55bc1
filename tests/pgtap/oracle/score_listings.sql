-- feed.score_listings and api.get_feed, compared in a random world with another
-- implementation of DESIGN section 4.
--
-- The other one knows no function and no derived table of the product: it reads what the
-- test itself has drawn, and the log.

-- noqa: disable=AM04

begin;
select plan(17);

select setseed(0.5);

create temporary table clock as
select timestamptz '2026-06-01 12:00Z' as as_of;

create temporary table pool as
select
    n,
    (array['bike', 'jazz', 'ski', 'chess', 'golf', 'food', 'meat', 'noise'])[n] as tag
from generate_series(1, 8) as n;

-- Half of the users are in a town, some far away, some nowhere.
create temporary table people as
select
    'user ' || n as name,
    case when n % 5 > 0 then 47 + random() * case when n % 5 = 1 then 20 else 0.3 end end as lat,
    case when n % 5 > 0 then 8 + random() * case when n % 5 = 1 then 170 else 0.3 end end as lon,
    case when n % 3 = 0 then 5 + random() * 40 end as max_distance,
    case
        when n % 2 = 0
            then array(
                    select '  ' || initcap(p.tag) from pool as p
                    where p.n < 7 and p.n % 4 = s.n % 4
                )
        else '{}'
    end as preferred_tags,
    case when n % 4 = 3 then '{meat,NOISE}'::text[] else '{}' end as blocked_tags,
    n % 7 > 0 as is_personalized,
    case when n % 6 > 0 then array[random() - 0.3, random() - 0.3, random() - 0.3] end as vector,
    (
        select jsonb_object_agg(p.tag, round((random() * 8 - 3)::numeric, 1))
        from pool as p
        where s.n % 6 > 0
    ) as tag_preference
from generate_series(1, 16) as s (n);

create temporary table poster_facts as
select
    'user ' || n as name,
    case when n % 3 > 0 then 1 + 4 * random() end as rating,
    (random() * 50)::integer as rating_count,
    100 + (random() * 100)::integer as accepted,
    (random() * 100)::integer as completed
from generate_series(1, 6) as n;

create temporary table things as
select
    'thing ' || n as name,
    case when n % 4 > 0 then 'user ' || 1 + n % 6 end as poster,
    case when n % 6 > 0 then 47 + random() * 0.4 end as lat,
    case when n % 6 > 0 then 8 + random() * 0.4 end as lon,
    array(
        select p.tag from pool as p
        where random() + 0 * s.n < 0.35
    ) as tags,
    clock.as_of - random() * interval '40 days' + interval '2 days' as created_at,
    case
        when n % 9 = 0 then clock.as_of + (random() - 0.5) * interval '10 days'
    end as expires_at,
    n % 11 = 0 as is_closed,
    case when n % 3 > 0 then random() end as engagement_score,
    case when n % 5 > 0 then array[random() - 0.5, random() - 0.5, random() - 0.5] end as vector
from clock
cross join generate_series(1, 120) as s (n);

create temporary table similar_people as
select
    a.name,
    b.name as neighbor,
    ((1 + (abs(hashtext(a.name || b.name)) % 8)) / 8.0)::real as similarity
from people as a
cross join people as b
where
    a.name <> b.name
    and hashtext(b.name || a.name) % 3 = 0;

create temporary table similar_things as
select
    a.name,
    b.name as goes_with,
    ((1 + (abs(hashtext(a.name || b.name)) % 8)) / 8.0)::real as similarity
from things as a
cross join things as b
where
    a.name <> b.name
    and hashtext(a.name) % 5 > 0
    and hashtext(b.name || a.name) % 9 = 0;

-- A profile that weighs all nine, with parameters of its own.
insert into feed.ranking_profiles (
    profile_name, location_weight, tag_weight, engagement_weight, recency_weight, poster_weight,
    collaborative_weight, content_weight, poster_affinity_weight, item_similarity_weight,
    affinity_half_life, affinity_smoothing, history_half_life, history_limit
)
values ('nine', 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.15, 0.15, '60 days', 0.5, '20 days', 12);

create temporary table deeds as
select
    'user ' || 1 + (random() * 15)::integer as name,
    'thing ' || 1 + (random() * 119)::integer as thing,
    (
        array['view', 'view', 'view', 'click', 'click', 'save', 'share', 'apply', 'dismiss']
    )[1 + floor(random() * 9)::integer]::feed.interaction_type as type,
    clock.as_of - random() * interval '120 days' as at
from clock
cross join generate_series(1, 500) as n;

select
    tests.user(
        p.name,
        p.lat,
        p.lon,
        p.max_distance,
        p.preferred_tags,
        p.blocked_tags,
        p.is_personalized
    )
from people as p;
select tests.poster(f.name, f.rating, f.rating_count, f.accepted, f.completed)
from poster_facts as f;
select
    tests.listing(
        t.name,
        t.poster,
        t.tags,
        t.lat,
        t.lon,
        status => case when t.is_closed then 'closed' else 'open' end::feed.listing_status,
        created_at => t.created_at,
        expires_at => t.expires_at
    )
from things as t;
select tests.interaction(d.name, d.thing, d.type, d.at)
from deeds as d;
select tests.engagement(t.name, t.engagement_score)
from things as t
where t.engagement_score is not null;
select
    tests.neighbors(
        s.name,
        array_agg(s.neighbor order by s.similarity desc),
        array_agg(s.similarity order by s.similarity desc)
    )
from similar_people as s
group by s.name;

select
    tests.goes_with(
        s.name,
        array_agg(s.goes_with order by s.similarity desc),
        array_agg(s.similarity order by s.similarity desc)
    )
from similar_things as s
group by s.name;

-- The columns want vectors of unit length; cosines do not mind.
select tests.user_vector(p.name, p.vector::real[], p.tag_preference)
from people as p
where p.tag_preference is not null;
select tests.listing_vector(t.name, t.vector::real[])
from things as t
where t.vector is not null;

create temporary view deed_weights as
select
    d.*,
    case d.type
        when 'apply' then 10
        when 'save' then 5
        when 'share' then 3
        when 'click' then 2
        when 'view' then 1
        when 'dismiss' then -5
    end as weight
from deeds as d
inner join things as t on d.thing = t.name
where t.poster is distinct from d.name;

-- What people chose, the latest first, by what is known at as_of.
create temporary view choices as
select
    d.name,
    d.thing,
    greatest(0, max(d.weight)) / 10.0::double precision as interest,
    extract(epoch from c.as_of - max(d.at))::double precision / 86400 as days,
    row_number() over (
        partition by d.name order by max(d.at) desc, tests.listing_no(d.thing) asc
    ) as place
from deed_weights as d
inner join people as p on d.name = p.name
cross join clock as c
where p.is_personalized
group by d.name, d.thing, c.as_of
having not bool_or(d.type = 'dismiss') and max(d.weight) > 0;

create temporary view people_tags as
select
    p.name,
    case
        when cardinality(p.preferred_tags) > 0
            then array(select distinct lower(btrim(x)) from unnest(p.preferred_tags) as x)
        when p.is_personalized
            then array(
                    select e.key
                    from jsonb_each(p.tag_preference) as e
                    where e.value::numeric > 0
                    order by e.value::numeric desc, e.key
                    limit 10
                )
        else '{}'
    end as tags
from people as p;

create temporary table expected as
with eligible as (
    select
        p.*,
        t.name as thing,
        t.tags,
        t.poster,
        t.created_at,
        t.engagement_score,
        t.vector as thing_vector,
        k.tags as people_tags,
        c.as_of,
        2 * 6371.0088 * asin(sqrt(
            sin(radians(t.lat - p.lat) / 2) ^ 2
            + cos(radians(t.lat)) * cos(radians(p.lat)) * sin(radians(t.lon - p.lon) / 2) ^ 2
        )) as km
    from people as p
    inner join people_tags as k using (name)
    cross join things as t
    cross join clock as c
    where
        not t.is_closed
        and (t.expires_at is null or t.expires_at > c.as_of)
        and t.created_at <= c.as_of
        and t.poster is distinct from p.name
        and not exists (
            select from unnest(p.blocked_tags) as b
            where lower(b) = any(t.tags)
        )
        and not exists (
            select from deed_weights as d
            where
                d.name = p.name
                and d.thing = t.name
                and (d.type in ('apply', 'dismiss') or d.at > c.as_of - interval '30 days')
        )
),

components as (
    select
        e.name,
        e.thing,
        e.created_at,
        e.km,
        case when e.km is null then 0.5 else exp(-least(e.km / 25, 700)) end as location_score,
        coalesce((
            select count(*) filter (where a.n = 2)::double precision / nullif(count(*), 0)
            from (
                select count(*) as n
                from (
                    select unnest(e.tags) as tag
                    union all
                    select unnest(e.people_tags)
                ) as u
                group by u.tag
            ) as a
            where cardinality(e.tags) > 0 and cardinality(e.people_tags) > 0
        ), 0) as tag_score,
        coalesce(e.engagement_score, 0) as engagement_score,
        exp(
            -ln(2) * extract(epoch from e.as_of - e.created_at)::double precision / 604800
        ) as recency_score,
        coalesce(
            (
                select
                    0.5 * ((
                        coalesce(f.rating, 3.5) * f.rating_count + 17.5
                    ) / (f.rating_count + 5) - 1) / 4
                    + 0.3 * (f.completed + 1.0) / (f.accepted + 2)
                    + 0.2 * least(1, ln(1.0 + f.completed) / ln(101.0))
                from poster_facts as f
                where f.name = e.poster
            ),
            0.4625
        ) as poster_score,
        coalesce((
            select
                sum(s.similarity * coalesce((
                    select greatest(0, max(d.weight)) / 10.0
                    from deed_weights as d
                    where d.name = s.neighbor and d.thing = e.thing
                    having
                        max(d.at) > e.as_of - interval '90 days'
                        and not bool_or(d.type = 'dismiss')
                ), 0)) / sum(s.similarity)
            from similar_people as s
            inner join people as v on s.neighbor = v.name
            where s.name = e.name and v.is_personalized and e.is_personalized
        ), 0) as collaborative_score,
        coalesce((
            select
                greatest(
                    0, sum(v.x * v.y) / sqrt(sum(v.x * v.x)) / sqrt(sum(v.y * v.y))
                )
            from unnest(e.vector, e.thing_vector) as v (x, y)
            where e.is_personalized and e.vector is not null and e.thing_vector is not null
        ), 0) as content_score,
        coalesce((
            select 1 - 0.5 / (0.5 + sum(h.interest * 2 ^ (-h.days / 60)))
            from choices as h
            inner join things as t on h.thing = t.name
            where h.name = e.name and t.poster = e.poster
        ), 0) as poster_affinity_score,
        coalesce((
            select
                sum(h.interest * 2 ^ (-h.days / 20) * coalesce(s.similarity, 0))
                / sum(h.interest * 2 ^ (-h.days / 20))
            from choices as h
            left join similar_things as s on h.thing = s.name and s.goes_with = e.thing
            where h.name = e.name and h.place <= 12
        ), 0) as item_similarity_score
    from eligible as e
    where e.max_distance is null or e.km is null or e.km <= e.max_distance
)

select
    c.*,
    0.1 * (
        c.location_score + c.tag_score + c.engagement_score + c.recency_score + c.poster_score
        + c.collaborative_score + c.content_score
    ) + 0.15 * (c.poster_affinity_score + c.item_similarity_score) as score,
    0.25 * c.location_score + 0.20 * c.tag_score + 0.15 * c.engagement_score
    + 0.10 * c.recency_score + 0.10 * c.poster_score + 0.10 * c.collaborative_score
    + 0.10 * c.content_score as default_score
from components as c;

create temporary table scored as
select
    p.name,
    l.title as thing,
    s.*
from people as p
cross join clock as c
cross join lateral feed.score_listings(tests.user_uid(p.name), 'nine', c.as_of) as s
inner join feed.listings as l using (listing_id);

create temporary table profiles as
select
    e.name,
    e.thing,
    e.created_at,
    f.profile,
    f.score
from expected as e
cross join lateral (
    values ('default', e.default_score), ('nine', e.score)
) as f (profile, score);

-- A world in which nothing differs would prove nothing.
select ok(
    (select count(*) from expected) between 300 and 1800,
    'of 1,920 pairs many are eligible, and many are not'
);
select
    ok(
        (
            select count(distinct round((to_jsonb(e) ->> c.name)::numeric, 6)) > 5
            from expected as e
        ),
        'the world holds many values of ' || c.name
    )
from unnest(
        array[
            'location_score', 'tag_score', 'engagement_score', 'recency_score', 'poster_score',
            'collaborative_score', 'content_score', 'poster_affinity_score',
            'item_similarity_score'
        ]
    ) as c (name);

select results_eq(
    'select name, thing from scored order by name, thing',
    'select name, thing from expected order by name, thing',
    'the same listings are eligible for every user'
);
select is_empty(
    $$
    select e.name, e.thing, c.component, s.have, e.want
    from (
        select e.name, e.thing, j.key as component, j.value::text::double precision as want
        from expected as e
        cross join lateral jsonb_each(to_jsonb(e)) as j
        where j.key like '%score'
    ) as e
    inner join (
        select s.name, s.thing, j.key as component, j.value::text::double precision as have
        from scored as s
        cross join lateral jsonb_each(to_jsonb(s)) as j
        where j.key like '%score'
    ) as s using (name, thing, component)
    cross join lateral (select e.component) as c
    where abs(s.have - e.want) > 1e-7
    $$,
    'every component and every score is the same'
);
select is_empty(
    $$
    select name, thing
    from expected as e
    inner join scored as s using (name, thing)
    where
        e.km is distinct from s.distance_km
        and not coalesce(abs(e.km - s.distance_km) < 1e-6 * greatest(1, e.km), false)
    $$,
    'every distance is the same, or unknown to both'
);

select is_empty(
    $$
    select p.name, k.profile
    from people as p
    cross join (values ('default'), ('nine')) as k (profile)
    where
        (
            select array_agg(f.title order by f.rank)
            from api.get_feed(tests.user_uid(p.name), 200, k.profile, '2026-06-01 12:00Z') as f
        )
        is distinct from (
            select array_agg(e.thing order by round(e.score::numeric, 9) desc, e.created_at desc)
            from profiles as e
            where e.name = p.name and e.profile = k.profile
        )
    $$,
    'the feed is in the order of the scores for every user and profile'
);
select is_empty(
    $$
    select s.thing
    from people as p
    cross join clock as c
    cross join lateral feed.score_listings(tests.user_uid(p.name), 'default', c.as_of) as d
    inner join feed.listings as l using (listing_id)
    inner join expected as s on p.name = s.name and l.title = s.thing
    where abs(d.score - s.default_score) > 1e-7
    $$,
    'what the default profile does not weigh changes no score of it'
);
select is_empty(
    $$
    select p.name
    from people as p
    where
        (
            select array_agg(f.title order by f.rank)
            from api.get_feed(
                tests.user_uid(p.name),
                7,
                'nine',
                '2026-06-01 12:00Z',
                array(
                    select tests.listing_id(e.thing)
                    from expected as e
                    where e.name = p.name
                    order by round(e.score::numeric, 9) desc, e.created_at desc
                    limit 7
                )
            ) as f
        )
        is distinct from (
            select array_agg(e.thing order by e.place)
            from (
                select
                    e.thing,
                    row_number() over (
                        order by round(e.score::numeric, 9) desc, e.created_at desc
                    ) as place
                from expected as e
                where e.name = p.name
            ) as e
            where e.place between 8 and 14
        )
    $$,
    'the next page goes on where the first one ended, for every user'
);
select is_empty(
    $$
    select p.name
    from people as p
    cross join lateral api.get_feed(tests.user_uid(p.name), 5, 'nine', '2026-06-01 12:00Z') as f
    inner join expected as e on p.name = e.name and f.title = e.thing
    where
        abs(f.score - e.score) > 1e-7
        or abs(
            f.score - (
                select sum((c.value ->> 'contribution')::double precision)
                from jsonb_each(f.components) as c
            )
        ) > 1e-12
    $$,
    'the feed shows these scores, and its contributions sum to them'
);

select finish();
rollback;
