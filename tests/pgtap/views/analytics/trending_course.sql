-- analytics.trending_course, analytics.job_runs, analytics.view_definitions

begin;
select plan(7);

create function tests.hour_ago(hours integer)
returns timestamptz
language sql
return date_trunc('hour', now(), 'UTC') - hours * interval '1 hour';

create function tests.failing_examples()
returns setof text
language plpgsql
as $$
declare
    example record;
begin
    for example in
        select
            d.view_name,
            substring(d.description from 'Example: (.*);$') as query
        from analytics.view_definitions as d
    loop
        begin
            execute example.query;
        exception
            when others then
                return next example.view_name || ': ' || sqlerrm;
        end;
    end loop;
end;
$$;

select tests.user('ann');
select tests.user('bob');
select tests.listing('bicycle', poster => 'pat');
select tests.listing('kayak');
select tests.listing('closed');
select tests.listing('quiet');
select
    tests.interaction(
        i.who, 'bicycle', i.type, tests.hour_ago(i.hours) + i.minute * interval '1 minute'
    )
from (
    values
    ('ann', 'click'::feed.interaction_type, 3, 5),
    ('ann', 'click', 3, 55),
    ('bob', 'click', 3, 6),
    ('ann', 'apply', 3, 7),
    ('ann', 'apply', 2, 7),
    ('bob', 'dismiss', 2, 8),
    ('pat', 'view', 2, 9),
    ('bob', 'view', 168, 0),
    ('bob', 'view', 169, 59)
) as i (who, type, hours, minute);
select tests.interaction('ann', 'kayak', 'view', tests.hour_ago(1));
select tests.interaction('ann', 'closed', 'view', tests.hour_ago(1));
update feed.engagement_metrics as m
set trending_score = t.score
from (values ('bicycle', 5), ('kayak', 7), ('closed', 9)) as t (name, score)
where m.listing_id = tests.listing_id(t.name);
refresh materialized view feed.trending_listings;
update feed.listings set status = 'closed'
where title = 'closed';

select tests.act_as_analyst();
select results_eq(
    'select rank, title, hour, interaction_count, points
    from analytics.trending_course order by rank, hour',
    $$
    values
    (1::bigint, 'kayak', tests.hour_ago(1), 1::bigint, 1::bigint),
    (2, 'bicycle', tests.hour_ago(168), 1, 1),
    (2, 'bicycle', tests.hour_ago(3), 3, 14),
    (2, 'bicycle', tests.hour_ago(2), 1, -5)
    $$,
    'what counted in each hour, with its points; the best first, the closed not at all'
);

reset role;
select results_eq(
    $$
    select sum(interaction_count)::bigint from analytics.trending_course where title = 'bicycle'
    $$,
    $$
    select count(*) from feed.counted_interactions(
        tests.hour_ago(168) - interval '1 microsecond', now()
    )
    where listing_id = tests.listing_id('bicycle')
    $$,
    'as feed.counted_interactions counts'
);
insert into jobs.runs (job, started_at, finished_at, rows)
values
('train_models', now() - interval '2 days', now() - interval '2 days' + interval '20 minutes', 7),
('train_models', now() - interval '31 days', now() - interval '31 days', 7),
('gone', now() - interval '1 day', now() - interval '1 day' + interval '90 seconds', 3),
('keep_house', now() - interval '3 days', null, null);
select tests.act_as_analyst();

select results_eq(
    $$
    select job, state, duration_seconds, target_seconds, is_over_target, rows
    from analytics.job_runs order by started_at desc
    $$,
    $$
    values
    (
        'gone', 'finished', 90::double precision, null::double precision, null::boolean,
        3::bigint
    ),
    ('train_models', 'finished', 1200, 900, true, 7),
    ('keep_house', 'failed', null, 60, null, null)
    $$,
    'each run of 30 days beside its target'
);

select results_eq(
    $$select view_name collate "C" from analytics.view_definitions order by 1$$,
    $$
    select c.relname::text collate "C" from pg_class as c
    where c.relnamespace = 'analytics'::regnamespace and c.relkind = 'v' order by 1
    $$,
    'every view is defined'
);
select is_empty(
    $$
    select view_name from analytics.view_definitions
    where definition !~* 'select' or description !~ 'Example: (select|with) [^;]+;$'
    $$,
    'with its SQL, a meaning and an example'
);
select is_empty(
    $$
    select c.oid::regclass from pg_class as c
    where
        c.relnamespace = 'analytics'::regnamespace
        and c.relkind = 'v'
        and not has_table_privilege('feed_analyst', c.oid, 'select')
    $$,
    'and may be read'
);
-- what the comments promise
select is_empty('select tests.failing_examples()', 'every example works as the analyst');

select finish();
rollback;
