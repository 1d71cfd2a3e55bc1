-- Nothing is everybody's, nor becomes it: what is there already is in rights.sql.

begin;
select plan(6);

create temporary view ours as
select
    n.oid,
    n.nspname::text as name
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
