-- How tables and views are made.

-- noqa: disable=AM04

begin;
select plan(13);

create temporary view our_relations as
select
    c.*,
    n.nspname
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
where n.nspname in ('api', 'identity', 'feed', 'ml', 'jobs', 'analytics', 'ops');

select is_empty(
    $$
    select f.conrelid::regclass, f.conname
    from pg_constraint as f
    inner join our_relations as r on f.conrelid = r.oid
    where
        f.contype = 'f'
        and f.conparentid = 0
        and not exists (
            select
            from pg_index as i
            where
                i.indrelid = f.conrelid
                and i.indpred is null
                and i.indisvalid
                and (i.indkey::smallint[])[0:cardinality(f.conkey) - 1]
                    operator(pg_catalog.@>) f.conkey
        )
    $$,
    'every foreign key is indexed'
);
select ok(
    (
        select count(*) > 15
        from pg_constraint as f
        inner join our_relations as r on f.conrelid = r.oid
        where f.contype = 'f' and f.conparentid = 0
    ),
    'of which there are many'
);
select is_empty(
    $$
    select distinct r.oid::regclass
    from our_relations as r
    inner join pg_attribute as a on r.oid = a.attrelid
    where
        r.relkind in ('r', 'p')
        and not r.relispartition
        and not r.relrowsecurity
        and a.attname in ('user_uid', 'user_no', 'poster_uid')
    $$,
    'row-level security is on wherever a row belongs to somebody'
);
select results_eq(
    $$
    select r.oid::regclass::text
    from our_relations as r
    where r.relrowsecurity and not r.relispartition
    order by 1
    $$,
    $$
    values
    ('feed.feed_impressions'),
    ('feed.interaction_keys'),
    ('feed.listing_digests'),
    ('feed.listings'),
    ('feed.posters'),
    ('feed.user_feed_preferences'),
    ('feed.user_interactions'),
    ('feed.user_listing_states'),
    ('feed.users'),
    ('ml.listing_neighbors'),
    ('ml.user_neighbors'),
    ('ml.user_vectors')
    $$,
    'these are the tables with row-level security'
);
select is_empty(
    $$
    select r.oid::regclass
    from our_relations as r
    where
        r.relispartition
        and r.relacl is not null
        and exists (
            select from aclexplode(r.relacl) as a
            where a.grantee <> r.relowner
        )
    $$,
    'nobody but the owner has a right on a partition: policies stand on the whole table'
);
select is_empty(
    $$
    select r.oid::regclass
    from our_relations as r
    where
        r.nspname = 'api'
        and r.relkind = 'v'
        and not coalesce(r.reloptions @> array['security_invoker=true'], false)
    $$,
    'every view of api asks with the rights of its caller'
);
select is_empty(
    $$select r.oid::regclass from our_relations as r
    where r.nspname = 'api' and r.relkind not in ('v', 'c')$$,
    'api holds views, and no tables'
);
select is_empty(
    $$select r.oid::regclass from our_relations as r where r.nspname = 'identity'$$,
    'identity holds functions only'
);
select is_empty(
    $$
    select r.oid::regclass
    from our_relations as r
    where
        r.relkind in ('r', 'p')
        and not exists (
            select from pg_constraint as c
            where c.conrelid = r.oid and c.contype = 'p'
        )
    $$,
    'every table has a primary key'
);
select is_empty(
    $$
    select r.oid::regclass
    from our_relations as r
    inner join pg_partitioned_table as p on r.oid = p.partrelid
    where p.partdefid <> 0
    $$,
    'no partitioned table has a default partition: it would block new months'
);
select is_empty(
    $$
    select c.conrelid::regclass, c.conname
    from pg_constraint as c
    inner join our_relations as r on c.conrelid = r.oid
    where
        c.contype = 'c'
        and (
            c.conname ~ '_check\d*$'
            or c.conname !~ '_(is|are|has|have|goes|go|sum|finishes)_'
        )
    $$,
    'every check is named by an assertion'
);
select is_empty(
    $$
    select t.tgrelid::regclass, t.tgname, t.tgfoid::regproc
    from pg_trigger as t
    inner join our_relations as r on t.tgrelid = r.oid
    where
        not t.tgisinternal
        and (
            t.tgname !~ '^t(10|50|90)_[a-z_]+$'
            or t.tgfoid::regproc::text
            !~ ('^' || r.nspname || '\.tg_' || r.relname || '__[a-z_]+$')
        )
        and t.tgparentid = 0
    $$,
    'every trigger says when it fires and its function for which table'
);
select is_empty(
    $$
    select i.indexrelid::regclass
    from pg_index as i
    inner join our_relations as r on i.indrelid = r.oid
    where not i.indisvalid or not i.indisready
    $$,
    'every index is valid'
);

select finish();
rollback;
