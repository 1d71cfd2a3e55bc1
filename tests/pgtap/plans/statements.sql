-- The shape of plans over tables that are large enough for it to matter: 20,000 listings,
-- 2,000 users, 10,000 interactions over three months. Never their time.

begin;
select plan(27);

select setseed(0.5);
select feed.ensure_partitions('2026-03-01', '2026-06-01');

insert into feed.users (user_uid)
select tests.user_uid('user ' || n)
from generate_series(1, 2000) as n;
insert into feed.listings (listing_id, title, location, created_at, tags)
select
    tests.listing_id('listing ' || n),
    'listing ' || n,
    ext.st_setsrid(ext.st_makepoint(random() * 360 - 180, random() * 180 - 90), 4326),
    timestamptz '2026-05-30' - n * interval '1 minute',
    array['tag ' || n % 1000]
from generate_series(1, 20000) as n;
insert into feed.user_interactions (user_uid, listing_id, type, created_at)
select
    tests.user_uid('user ' || 1 + n % 2000),
    tests.listing_id('listing ' || 1 + (random() * 199)::integer),
    'save',
    timestamptz '2026-03-02' + random() * interval '88 days'
from generate_series(1, 10000) as n;
insert into feed.engagement_metrics (listing_id)
select tests.listing_id('listing ' || n)
from generate_series(201, 20000) as n
on conflict do nothing;
update feed.engagement_metrics
set
    is_stale = random() < 0.02,
    trending_score = case when random() < 0.1 then random() else 0 end;
refresh materialized view feed.trending_listings;
insert into jobs.runs (job, started_at)
select
    'job ' || n % 10,
    timestamptz '2026-01-01' + n * interval '1 hour'
from generate_series(1, 5000) as n;
analyze feed.users, feed.listings, feed.user_interactions, feed.interaction_keys,
feed.user_listing_states, feed.engagement_metrics, feed.trending_listings, jobs.runs;

-- one listing of one user, as explain_listing asks
select
    uses_index(
        $$
        select c.score, c.removed_by
        from feed.candidate_listings(tests.user_uid('user 7'), 'default', '2026-06-01') as c
        where c.listing_id = tests.listing_id('listing 7')
        $$,
        i.name,
        'explaining one listing looks up ' || i.what
    )
from
    (
        values
        ('listings_pkey', 'that listing'),
        ('user_listing_states_pkey', 'what the user did with it'),
        ('engagement_metrics_pkey', 'its counters'),
        ('users_pkey', 'the user')
    ) as i (name, what);
select never_scans(
    $$
    select c.score, c.removed_by
    from feed.candidate_listings(tests.user_uid('user 7'), 'default', '2026-06-01') as c
    where c.listing_id = tests.listing_id('listing 7')
    $$,
    '^(listings|users|user_listing_states|engagement_metrics|user_interactions.*)$',
    'and reads none of the large tables from end to end'
);

-- counting: a listing that everybody looks at this hour
insert into feed.user_interactions (user_uid, listing_id, type, created_at)
select
    tests.user_uid('user ' || n),
    tests.listing_id('listing 20000'),
    'view',
    timestamptz '2026-04-10 10:00Z' + n * interval '1 second'
from generate_series(1, 2000) as n;
analyze feed.user_interactions;

-- rows, and entries of indexes, of relations of such a name that this transaction has read
create function tests.reads(relation text)
returns bigint
language sql
return (
    select sum(pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid))
    from pg_class as c
    where c.relname ~ reads.relation
);

-- how many of them a query reads; of the month, if nothing else is said
create function tests.reads_of(query text, relation text default '^user_interactions_2026_04')
returns bigint
language plpgsql
as $$
declare
    before bigint := tests.reads(relation);
begin
    execute query;
    return tests.reads(relation) - before;
end;
$$;

select ok(
    tests.reads_of(
        $$select count(*) from feed.user_interactions
        where listing_id = tests.listing_id('listing 20000') and created_at < '2026-05-01'$$
    ) >= 2000,
    'reading the views of a popular listing is seen to read 2,000 rows'
);
select cmp_ok(
    tests.reads_of(
        $$
        select tests.interaction(
            'user 7', 'listing 20000', 'view', '2026-04-10 10:59Z', 'again'
        )
        $$
    ),
    '<',
    100::bigint,
    'one more view of it reads the user''s own rows'
);
select cmp_ok(
    tests.reads_of(
        $$
        delete from feed.user_interactions
        where
            user_uid = tests.user_uid('user 7')
            and listing_id = tests.listing_id('listing 20000')
            and created_at = '2026-04-10 10:59Z'
        $$
    ),
    '<',
    100::bigint,
    'and so does its undoing'
);

-- counting by a planner that takes the tables to be empty, as it does after a vacuum of empty ones
update pg_class as c
set
    reltuples = 0,
    relpages = 10
where
    c.relname ~ '^(users|listings|user_listing_states|interaction_keys|engagement_metrics)(_|$)'
    and c.relnamespace = 'feed'::regnamespace
    and c.relkind in ('r', 'i');

select cmp_ok(
    tests.reads_of(
        $$
        insert into feed.user_interactions (user_uid, listing_id, type, created_at, event_id)
        select
            tests.user_uid('user ' || n), tests.listing_id('listing 19999'), 'click',
            '2026-04-10 10:59Z', tests.event_id('blind ' || n)
        from generate_series(1, 20) as n
        $$,
        '^(users|listings|user_listing_states|interaction_keys|engagement_metrics)(_|$)'
    ),
    '<',
    1000::bigint,
    'a planner that knows nothing looks up by key all the same'
);
select cmp_ok(
    tests.reads_of(
        $$
        delete from feed.user_interactions as i
        where
            i.created_at = '2026-04-10 10:59Z'
            and i.event_id = any(
                array(select tests.event_id('blind ' || n) from generate_series(1, 20) as n)
            )
        $$,
        '^(users|listings|user_listing_states|interaction_keys|engagement_metrics)(_|$)'
    ),
    '<',
    1000::bigint,
    'to undo, too'
);
select is(tests.counters('listing 19999'), '', 'rightly');

analyze feed.users, feed.listings, feed.interaction_keys, feed.user_listing_states,
feed.engagement_metrics;

select set_eq(
    $$
    select n.relation
    from tests.plan_nodes(
        $q$
        select from feed.user_interactions as o
        where o.created_at >= '2026-04-10' and o.created_at < '2026-04-11'
        $q$
    ) as n
    where n.relation is not null
    $$,
    $$values ('user_interactions_2026_04')$$,
    'a span of time opens its months only'
);

-- retracting: the key, then the row in its month
select set_eq(
    $$
    select n.index
    from tests.plan_nodes(
        $q$
        delete from feed.user_interactions as i
        using feed.interaction_keys as k
        where
            k.user_uid = (select tests.user_uid('user 7'))
            and k.event_id = (select gen_random_uuid())
            and i.user_uid = k.user_uid
            and i.created_at = k.created_at
            and i.event_id = k.event_id
        $q$
    ) as n
    where n.index ~ '^interaction_keys|2026_04'
    $$,
    $$values ('interaction_keys_pkey'), ('user_interactions_2026_04_pkey')$$,
    'retracting looks up the key, and the row by the user''s part of the log'
);

-- deleting one's data: what counts of one user
select never_scans(
    $$
    select c.listing_id, c.type
    from feed.counted_interactions('-infinity', 'infinity') as c
    where c.user_uid = tests.user_uid('user 7')
    $$,
    '^(listings|users|user_listing_states|user_interactions_2026_0[345])$',
    'what one user did is found by key, in every month'
);

-- the hourly job
select uses_index(
    $$
    select m.listing_id
    from feed.engagement_metrics as m
    where m.is_stale
    order by m.listing_id
    limit 100
    for no key update
    $$,
    'engagement_metrics_stale_idx',
    'the hourly job finds what changed by the partial index'
);
select is_empty(
    $$
    select n.node
    from tests.plan_nodes(
        $q$
        select m.listing_id
        from feed.engagement_metrics as m
        where m.is_stale
        order by m.listing_id
        limit 100
        for no key update
        $q$
    ) as n
    where n.node = 'Sort'
    $$,
    'in the order in which it locks them, without sorting'
);
select uses_index(
    'select m.listing_id from feed.engagement_metrics as m where m.trending_score <> 0',
    'engagement_metrics_trending_idx',
    'and what trends by another'
);

-- what clients ask
select tests.act_as('user 7');

select uses_index(
    'select * from api.listings order by created_at desc, listing_id limit 50',
    'listings_newest_idx',
    'listings are paged by the index of the newest'
);
select uses_index(
    $$select * from api.listings where listing_id = tests.listing_id('listing 7')$$,
    'listings_pkey',
    'one listing by its key'
);
select uses_index(
    $$select * from api.listings where tags @> array['tag 7']$$,
    'listings_tags_idx',
    'a tag by the index of tags'
);
select uses_index(
    'select * from api.my_listings',
    'user_listing_states_pkey',
    'my listings by my part of the matrix'
);
select never_scans(
    'select * from api.my_interactions',
    '^user_interactions_2026_0[345]$',
    'my interactions by my part of the log, policy and all'
);
select uses_index('select * from api.preferences', 'users_pkey', 'my preferences by my row');
select never_scans(
    'select * from api.trending limit 20',
    '^listings$',
    'the best that trend without reading all listings'
);

reset role;

select uses_index(
    $$
    select r.run_id from jobs.runs as r
    where r.job = 'job 3'
    order by r.started_at desc
    limit 1
    $$,
    'runs_latest_idx',
    'the latest run of a job by the index of the latest'
);
select uses_index(
    $$
    select l.listing_id
    from feed.listings as l
    where
        l.status = 'open'
        and ext.st_dwithin(
            l.location, ext.st_setsrid(ext.st_makepoint(8, 47), 4326)::ext.geography, 10000
        )
    $$,
    'listings_place_idx',
    'open listings near a place by the index of places'
);

-- the reference may read everything, but everything once
select is(
    (
        select count(*)
        from tests.plan_nodes(
                $$
            select score
            from feed.score_listings(tests.user_uid('user 7'), 'default', '2026-06-01')
            $$
            ) as n
        where n.relation = 'listings'
    ),
    2::bigint,
    'the reference reads the listings once, and beside them those that the user chose'
);
select finish();
rollback;
