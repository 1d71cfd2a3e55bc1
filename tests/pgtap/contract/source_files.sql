-- The catalogue and sql/ say the same: each object comes from the file that bears its name.
--
-- bin/apply-code has written the paths of sql/code.manifest into ops.source_files.

begin;
select plan(5);

create temporary view ours as
select
    n.oid,
    n.nspname::text as name
from pg_namespace as n
where n.nspname in ('api', 'identity', 'feed', 'ml', 'jobs', 'analytics', 'ops');

-- what is made by the ledger, since a CHECK needs it
create temporary view ledger_functions as
select 'feed.normalized_tags'::regproc as oid;

create temporary view objects as
select
    'procedure' as kind,
    p.oid::regproc::text as name,
    'jobs/' || p.proname || '.sql' as path
from pg_proc as p
inner join ours as o on p.pronamespace = o.oid
where p.prokind = 'p' and o.name = 'jobs'
union all
select
    'function',
    p.oid::regproc::text,
    'functions/' || o.name || '/' || p.proname || '.sql'
from pg_proc as p
inner join ours as o on p.pronamespace = o.oid
where
    p.prorettype <> 'trigger'::regtype
    and not (p.prokind = 'p' and o.name = 'jobs')
    and p.oid not in (select l.oid from ledger_functions as l)
union all
select
    'trigger function',
    p.oid::regproc::text,
    'triggers/' || o.name || '/' || replace(substr(p.proname, 4), '__', '_') || '.sql'
from pg_proc as p
inner join ours as o on p.pronamespace = o.oid
where p.prorettype = 'trigger'::regtype
union all
select
    'trigger',
    t.tgrelid::regclass || ' ' || t.tgname,
    'triggers/' || o.name || '/' || replace(substr(p.proname, 4), '__', '_') || '.sql'
from pg_trigger as t
inner join pg_proc as p on t.tgfoid = p.oid
inner join pg_class as c on t.tgrelid = c.oid
inner join ours as o on c.relnamespace = o.oid
where not t.tgisinternal and t.tgparentid = 0
union all
select
    'view',
    c.oid::regclass::text,
    'views/' || o.name || '/' || c.relname || '.sql'
from pg_class as c
inner join ours as o on c.relnamespace = o.oid
where c.relkind = 'v'
union all
select
    'policy',
    c.oid::regclass || ': ' || y.polname,
    'policies/' || o.name || '/' || c.relname || '.sql'
from pg_policy as y
inner join pg_class as c on y.polrelid = c.oid
inner join ours as o on c.relnamespace = o.oid
union all
select
    'row-level security',
    c.oid::regclass::text,
    'policies/' || o.name || '/' || c.relname || '.sql'
from pg_class as c
inner join ours as o on c.relnamespace = o.oid
-- ml's are in the ledger: no policy goes with them
where c.relrowsecurity and o.name <> 'ml'
union all
select
    'role',
    r.rolname,
    'grants/' || r.rolname || '.sql'
from pg_roles as r
where r.rolname in ('feed_owner', 'anon', 'authenticated', 'service_role', 'feed_analyst');

select ok((select count(*) > 100 from ops.source_files), 'bin/apply-code has noted what it ran');
select is_empty(
    $$
    select kind, name, path from objects
    where path not in (select path from ops.source_files)
    $$,
    'every object that can be replaced comes from the file of its name'
);
select is_empty(
    $$
    select path from ops.source_files
    where path not in (select path from objects)
    $$,
    'every file makes the object of its name'
);
select is_empty(
    $$
    select r.rolname, r.rolname
    from pg_roles as r
    cross join lateral (
        select from pg_class as c
        inner join ours as o on c.relnamespace = o.oid
        cross join lateral aclexplode(c.relacl) as a
        where a.grantee = r.oid
        limit 1
    ) as g
    where
        r.rolname <> 'feed_owner'
        and 'grants/' || r.rolname || '.sql' not in (select path from ops.source_files)
    $$,
    'no role has rights on relations but those of a file in grants/'
);
select is_empty(
    $$
    select r.job from jobs.schedules as r
    where 'jobs/' || r.job || '.sql' not in (select path from ops.source_files)
    $$,
    'every schedule is that of a file in jobs/'
);

select finish();
rollback;
