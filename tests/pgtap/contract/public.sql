-- Nothing is everybody's.

begin;
select plan(13);

create temporary view ours as
select
    n.oid,
    n.nspacl as acl
from pg_namespace as n
where n.nspname in ('api', 'identity', 'feed', 'ml', 'jobs', 'analytics', 'ops');

select is_empty(
    $$
    select c.oid::regclass::text from pg_class as c
    where c.relnamespace = 'public'::regnamespace
    union all
    select p.oid::regprocedure::text from pg_proc as p
    where p.pronamespace = 'public'::regnamespace
    $$,
    'the schema public holds no relation or function'
);
select is_empty(
    $$select t.oid::regtype from pg_type as t where t.typnamespace = 'public'::regnamespace$$,
    'nor any type'
);
select ok(
    not has_schema_privilege('anon', 'public', 'create')
    and not has_schema_privilege('authenticated', 'public', 'create')
    and not has_schema_privilege('feed_analyst', 'public', 'create'),
    'and nobody may make one there'
);
select is_empty(
    $$
    select p.oid::regprocedure
    from pg_proc as p
    inner join ours as o on p.pronamespace = o.oid
    cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
    where a.grantee = 0
    $$,
    'public may execute none of our functions'
);
select is_empty(
    $$
    select c.oid::regclass
    from pg_class as c
    inner join ours as o on c.relnamespace = o.oid
    cross join lateral aclexplode(c.relacl) as a
    where a.grantee = 0
    $$,
    'public has no right on our relations'
);
select is_empty(
    $$
    select c.oid::regclass, t.attname
    from pg_class as c
    inner join ours as o on c.relnamespace = o.oid
    inner join pg_attribute as t on c.oid = t.attrelid
    cross join lateral aclexplode(t.attacl) as a
    where a.grantee = 0
    $$,
    'nor on any column'
);
select is_empty(
    $$
    select o.oid::regnamespace
    from ours as o
    cross join lateral aclexplode(o.acl) as a
    where a.grantee = 0
    $$,
    'public may not use our schemas'
);
select is_empty(
    $$
    select t.oid::regtype
    from pg_type as t
    inner join ours as o on t.typnamespace = o.oid
    cross join lateral aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) as a
    where t.typtype in ('e', 'd') and a.grantee = 0
    $$,
    'nor our types'
);
select is_empty(
    $$
    select d.datname
    from pg_database as d
    cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as a
    where d.datname = current_database() and a.grantee = 0
    $$,
    'nor connect to the database'
);

-- What is made from now on is nobody's either.
set local role feed_owner;
create function feed.new_function() returns integer language sql return 1;
create type feed.new_type as enum ('a');
create table feed.new_table (n integer);
reset role;

select ok(
    not has_function_privilege('anon', 'feed.new_function()', 'execute'),
    'a new function is nobody''s until it is granted'
);
select ok(not has_type_privilege('anon', 'feed.new_type', 'usage'), 'and so is a new type');
select ok(
    not has_table_privilege('service_role', 'feed.new_table', 'select'), 'and a new table'
);
select is_empty(
    $$
    select r.oid::regclass
    from pg_class as r
    inner join ours as o on r.relnamespace = o.oid
    where r.relowner <> 'feed_owner'::regrole
    $$,
    'feed_owner owns every relation'
);

select finish();
rollback;
