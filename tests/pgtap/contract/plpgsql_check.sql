-- plpgsql_check over the whole catalogue.

begin;
select plan(4);

create temporary view our_functions as
select
    p.oid,
    p.prorettype
from pg_proc as p
inner join pg_language as l on p.prolang = l.oid
where
    l.lanname = 'plpgsql'
    and p.pronamespace::regnamespace::text
    in ('api', 'identity', 'feed', 'ml', 'jobs', 'analytics', 'ops');

-- What the functions use of pg_cron, which only one database of a cluster can have.
create schema if not exists cron;
create table if not exists cron.job (jobid bigint, jobname text, database text);
create table if not exists cron.job_run_details (start_time timestamptz, username text);
create or replace function cron.unschedule(bigint)
returns boolean
language sql
return true;
create or replace function cron.schedule(text, text, text)
returns bigint
language sql
return 1;
create or replace function cron.schedule_in_database(text, text, text, text, text)
returns bigint
language sql
return 1;

create temporary table findings as
select
    f.oid::regprocedure::text as signature,
    c.level,
    c.lineno,
    c.message
from our_functions as f
cross join lateral ext.plpgsql_check_function_tb(f.oid, 0) as c
where f.prorettype <> 'trigger'::regtype
union all
select
    t.signature,
    c.level,
    c.lineno,
    c.message
from (
    -- A function with several triggers looks at each one's rows in a branch of its own.
    select
        f.oid,
        f.oid::regprocedure::text || ' on ' || g.tgrelid::regclass as signature,
        g.tgrelid,
        max(g.tgoldtable) as old_table,
        max(g.tgnewtable) as new_table
    from our_functions as f
    inner join pg_trigger as g on f.oid = g.tgfoid
    where g.tgparentid = 0
    group by f.oid, g.tgrelid
) as t
cross join lateral ext.plpgsql_check_function_tb(
    t.oid, t.tgrelid, oldtable => t.old_table, newtable => t.new_table
) as c;

select ok((select count(*) > 25 from our_functions), 'there are functions to check');
select is_empty(
    $$
    select f.oid::regprocedure
    from our_functions as f
    where
        f.prorettype = 'trigger'::regtype
        and not exists (select from pg_trigger as t where t.tgfoid = f.oid)
    $$,
    'every trigger function has a trigger, so that it is checked'
);
select is_empty(
    $$select signature, lineno, message from findings where level = 'error'$$,
    'plpgsql_check finds no error'
);
select is_empty(
    $$
    select signature, lineno, message from findings
    where
        level like 'warning%'
        -- limit is PostgREST's word, and the contract's
        and not (
            signature like 'api.get_feed(%'
            and message ~ '^name of parameter "limit" is reserved keyword'
        )
    $$,
    'nor anything to warn of'
);

select finish();
rollback;
