-- feed.ensure_partitions: the months that a span of time needs

begin;
select plan(12);

create function tests.partitions(parent regclass, pattern text)
returns setof text
language sql
as $$
    select c.relname::text collate "default"
    from pg_inherits as i
    inner join pg_class as c on i.inhrelid = c.oid
    where i.inhparent = parent and c.relname ~ pattern
    order by 1
$$;

set local timezone = 'Pacific/Kiritimati';

-- 14 hours ahead: there it is January 2031 already
select is(
    feed.ensure_partitions('2030-12-31 20:00Z', '2031-02-01 00:00Z'),
    6,
    'three months of two tables are made'
);
select results_eq(
    $$select tests.partitions('feed.user_interactions', '_203')$$,
    $$
    values
    ('user_interactions_2030_12'), ('user_interactions_2031_01'), ('user_interactions_2031_02')
    $$,
    'by UTC, wherever the session is'
);
select results_eq(
    $$select tests.partitions('feed.feed_impressions', '_203')$$,
    $$
    values
    ('feed_impressions_2030_12'), ('feed_impressions_2031_01'), ('feed_impressions_2031_02')
    $$,
    'for impressions, too'
);
select is(
    feed.ensure_partitions('2030-12-31 20:00Z', '2031-02-01 00:00Z'), 0, 'what is there stays'
);
select is(
    feed.ensure_partitions('2031-02-10 00:00Z', '2031-03-10 00:00Z'), 2, 'what is missing is made'
);
select is(
    feed.ensure_partitions('2031-03-10 00:00Z', '2031-02-10 00:00Z'),
    0,
    'a span that ends before it begins needs nothing'
);

select tests.user('ann');
select tests.listing('bicycle');

select lives_ok(
    $$
    insert into feed.user_interactions (user_uid, listing_id, type, created_at)
    values
    (tests.user_uid('ann'), tests.listing_id('bicycle'), 'view', '2030-12-01 00:00Z'),
    (tests.user_uid('ann'), tests.listing_id('bicycle'), 'view', '2031-03-31 23:59:59.999999Z')
    $$,
    'from the first instant to the last there is room'
);
select throws_ok(
    $$
    insert into feed.user_interactions (user_uid, listing_id, type, created_at)
    values (tests.user_uid('ann'), tests.listing_id('bicycle'), 'view', '2031-04-01 00:00Z')
    $$,
    '23514',
    null,
    'and no further'
);
select is(tests.counters('bicycle'), '2 view', 'what goes into a new partition is counted');
select is_empty(
    $$
    select c.relname
    from pg_class as c
    inner join pg_inherits as i on c.oid = i.inhrelid
    where
        i.inhparent = 'feed.user_interactions'::regclass
        and (
            select count(*) from pg_index as x
            where x.indrelid = c.oid
        ) <> (
            select count(*) from pg_index as x
            where x.indrelid = i.inhparent
        )
    $$,
    'every partition has the indexes of the whole'
);

-- retention
update feed.data_lifetimes
set interaction_lifetime = '1 year';

select is_refused(
    $$select feed.ensure_partitions(now() - interval '14 months', now())$$,
    '23001',
    'is no longer kept',
    'a month that retention has taken does not come back'
);
select lives_ok(
    $$select feed.ensure_partitions(now() - interval '11 months', now())$$, 'a younger one may'
);

select finish();
rollback;
