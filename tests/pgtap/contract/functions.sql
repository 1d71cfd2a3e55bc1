-- How functions are made.

-- noqa: disable=AM04

begin;
select plan(9);

create temporary view our_functions as
select
    p.*,
    p.oid::regprocedure::text as signature,
    l.lanname,
    n.nspname
from pg_proc as p
inner join pg_language as l on p.prolang = l.oid
inner join pg_namespace as n on p.pronamespace = n.oid
where n.nspname in ('api', 'identity', 'feed', 'ml', 'jobs', 'analytics', 'ops');

select ok(
    (
        select count(*) filter (where f.prosecdef) > 5 and count(*) > 60
        from our_functions as f
    ),
    'there are functions to look at'
);
select is_empty(
    $$
    select signature from our_functions
    where
        prosecdef
        and not coalesce(proconfig @> array['search_path=pg_catalog, pg_temp'], false)
    $$,
    'every definer function has its search_path pinned: pg_catalog, pg_temp last'
);
select is_empty(
    $$
    select signature from our_functions
    where
        lanname = 'plpgsql'
        and prokind = 'f'
        and not coalesce(proconfig @> array['search_path=pg_catalog, pg_temp'], false)
    $$,
    'and so has every plpgsql function'
);
select is_empty(
    $$select signature from our_functions where lanname = 'sql' and prosqlbody is null$$,
    'every SQL function is bound when it is made: return or begin atomic'
);
select is_empty(
    $$select signature from our_functions where lanname = 'sql' and prosecdef$$,
    'no SQL function is definer: it would not be inlined'
);
select is_empty(
    $$
    select signature from our_functions
    where prokind = 'p' and (prosecdef or proconfig is not null)
    $$,
    'no procedure is definer or has settings: it could not commit'
);
select is_empty(
    $$
    select signature from our_functions
    where lanname not in ('sql', 'plpgsql', 'plpython3u')
    $$,
    'there are three languages'
);
select is_empty(
    $$
    select nspname || '.' || proname from our_functions
    where prokind = 'f'
    group by 1
    having count(*) > 1
    $$,
    'no function is overloaded: PostgREST could not choose'
);
select is_empty(
    $$
    select signature
    from our_functions
    where
        proowner <> 'feed_owner'::regrole
        and lanname <> 'plpython3u'
        -- Reads a statistic that PostgreSQL shows to superusers.
        and signature::text <> 'ops.received_timeline()'
    $$,
    'feed_owner owns all that needs no superuser'
);

select finish();
rollback;
