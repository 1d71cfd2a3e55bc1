-- feed.trending_listings, api.trending: what many do now

begin;
select plan(11);

select tests.listing(n, poster => 'pat', tags => '{a}', lat => 47, lon => 8)
from unnest(array['third', 'first', 'second', 'none', 'below', 'closed', 'expired']) as n;
select tests.engagement('first', trending_score => 9);
select tests.engagement('second', trending_score => 5.5);
select tests.engagement('third', trending_score => 5);
select tests.engagement('none');
select tests.engagement('below', trending_score => -3);
select tests.engagement('closed', trending_score => 100);
select tests.engagement('expired', trending_score => 90);

select tests.act_as_nobody();
select is_empty('select from api.trending', 'before the first refresh nothing trends');
reset role;
refresh materialized view feed.trending_listings;

select tests.act_as_nobody();
select results_eq(
    'select title, trending_score from api.trending',
    $$
    values
    ('closed', 100::double precision), ('expired', 90), ('first', 9), ('second', 5.5),
    ('third', 5)
    $$,
    'the best come first, those with nothing or less not at all'
);

reset role;
update feed.listings
set status = 'closed'
where title = 'closed';
update feed.listings
set expires_at = now()
where title = 'expired';
select tests.engagement('second', trending_score => 50);

select tests.act_as_nobody();
select results_eq(
    'select title, trending_score from api.trending',
    $$values ('first', 9::double precision), ('second', 5.5), ('third', 5)$$,
    'what closes or expires is gone at once; scores wait for the refresh'
);
select is(
    (
        select to_jsonb(t) - 'listing_id' - 'poster_uid' - 'created_at' - 'expires_at'
        from api.trending as t
        where t.title = 'first'
    ),
    '{"title": "first", "description": null, "url": null, "image_url": null, "attributes": {},
      "tags": ["a"], "lat": 47, "lon": 8, "compensation": null, "currency": null,
      "trending_score": 9}'::jsonb,
    'a row holds the listing'
);

reset role;
refresh materialized view feed.trending_listings;
select results_eq(
    'select title from api.trending',
    $$values ('second'), ('first'), ('third')$$,
    'after the refresh the new scores hold'
);
select is_empty(
    $$
    select t.listing_id from feed.trending_listings as t
    inner join feed.listings as l using (listing_id)
    where l.title = 'closed'
    $$,
    'and what is closed takes no place'
);

-- ties, and the end of the list
select tests.engagement(n, trending_score => 7)
from unnest(array['first', 'second', 'third']) as n;
refresh materialized view feed.trending_listings;
select results_eq(
    'select listing_id from api.trending',
    $$
    select tests.listing_id(n) as id
    from unnest(array['first', 'second', 'third']) as n
    order by id
    $$,
    'equal scores go by listing_id'
);

insert into feed.listings (title)
select 'one of many'
from generate_series(1, 10003);
insert into feed.engagement_metrics (listing_id, trending_score)
select
    l.listing_id,
    row_number() over (order by l.listing_id) / 10000.0
from feed.listings as l
where l.title = 'one of many';
refresh materialized view feed.trending_listings;

select is(
    (select count(*) from feed.trending_listings), 10000::bigint, 'ten thousand are kept'
);
select is(
    (select min(t.trending_score) from feed.trending_listings as t),
    -- three others and the one that has expired are above all of these
    0.0008::double precision,
    'the best of all'
);

-- for analysts
select results_eq(
    $$
    select rank, title, trending_score
    from analytics.trending_listings
    order by rank, title
    limit 4
    $$,
    $$
    values
    (1::bigint, 'first', 7::double precision), (1, 'second', 7), (1, 'third', 7),
    (4, 'one of many', 1.0003)
    $$,
    'analysts see the ranks, equal ones for equal scores'
);
select is(
    (
        select count(*) from pg_index as i
        where
            i.indrelid = 'feed.trending_listings'::regclass
            and i.indisunique
            and i.indpred is null
            and i.indexrelid = 'feed.trending_listings_listing_idx'::regclass
    ),
    1::bigint,
    'a unique index lets it refresh concurrently'
);

select finish();
rollback;
