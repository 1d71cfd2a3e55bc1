-- Everything that a person can see says what it is.

begin;
select plan(9);

create temporary view ours as
select
    n.oid,
    n.nspname::text as name
from pg_namespace as n
where n.nspname in ('api', 'identity', 'feed', 'ml', 'jobs', 'analytics', 'ops');

create temporary view our_relations as
select
    c.oid,
    c.oid::regclass::text as name,
    c.relkind
from pg_class as c
inner join ours as o on c.relnamespace = o.oid;

select is((select count(*) from ours), 7::bigint, 'there are seven schemas of ours');
select is_empty(
    $$select name from ours where coalesce(obj_description(oid, 'pg_namespace'), '') = ''$$,
    'every schema is commented'
);
select is_empty(
    $$
    select name from our_relations
    where
        relkind in ('r', 'p', 'v', 'm', 'f')
        and coalesce(obj_description(oid, 'pg_class'), '') = ''
    $$,
    'every table and view is commented'
);
select is_empty(
    $$
    select r.name || '.' || a.attname
    from our_relations as r
    inner join pg_attribute as a on r.oid = a.attrelid
    inner join pg_class as c on r.oid = c.oid
    where
        r.relkind in ('r', 'p', 'v', 'm', 'f')
        and not c.relispartition
        and a.attnum > 0
        and not a.attisdropped
        and coalesce(col_description(r.oid, a.attnum), '') = ''
    $$,
    'every column is commented'
);
select is_empty(
    $$
    select r.name
    from our_relations as r
    inner join pg_class as c on r.oid = c.oid
    where
        r.relkind in ('i', 'I')
        and not c.relispartition
        and coalesce(obj_description(r.oid, 'pg_class'), '') = ''
    $$,
    'every index says whom it serves'
);
select is_empty(
    $$
    select p.oid::regprocedure
    from pg_proc as p
    inner join ours as o on p.pronamespace = o.oid
    where coalesce(obj_description(p.oid, 'pg_proc'), '') = ''
    $$,
    'every function and procedure is commented'
);
select is_empty(
    $$
    select t.oid::regtype
    from pg_type as t
    inner join ours as o on t.typnamespace = o.oid
    where
        (
            t.typtype in ('e', 'd', 'r')
            or t.typtype = 'c' and exists (
                select from pg_class as c
                where c.oid = t.typrelid and c.relkind = 'c'
            )
        )
        and coalesce(obj_description(t.oid, 'pg_type'), '') = ''
    $$,
    'every type is commented'
);
select is_empty(
    $$
    select r.rolname
    from pg_roles as r
    where
        r.rolname in (
            'feed_owner', 'authenticator', 'anon', 'authenticated', 'service_role', 'feed_worker',
            'feed_analyst'
        )
        and coalesce(shobj_description(r.oid, 'pg_authid'), '') = ''
    $$,
    'every role is commented'
);
select is_empty(
    $$
    select p.oid::regprocedure
    from pg_proc as p
    where
        p.pronamespace = 'api'::regnamespace
        and p.prorettype <> 'trigger'::regtype
        and obj_description(p.oid, 'pg_proc') !~ '^[^\n]{10,100}\n\n'
    $$,
    'in api the first line of a function''s comment is its summary'
);

select finish();
rollback;
