-- jobs.begin_run, jobs.end_run, jobs.run_states: one run at a time, and what became of it
--
-- What another session sees, and what a kill leaves, is tested by pytest.

begin;
select plan(20);

create function tests.is_locked(job text)
returns boolean
language sql
return exists (
    select from pg_locks as l
    where
        l.locktype = 'advisory'
        and l.classid = 7334
        and l.objid = (jobs.lock_key(job)::bigint & 4294967295)::oid
        and l.granted
);

create temporary table run (run_id bigint);
insert into run
select jobs.begin_run('refresh_trending');

select results_eq(
    $$
    select r.job, r.finished_at, r.rows, r.details, r.backend_pid
    from jobs.runs as r
    inner join run using (run_id)
    $$,
    $$
    values (
        'refresh_trending', null::timestamptz, null::bigint, '{}'::jsonb, pg_backend_pid()
    )
    $$,
    'a run is entered as it begins'
);
select ok(tests.is_locked('refresh_trending'), 'and its job is locked');
select ok(not tests.is_locked('train_models'), 'no other job is');
select is(
    (select s.state from jobs.run_states as s), 'running', 'who holds the lock is running'
);
select ok(
    (select s.duration >= '0' and s.duration < '1 minute' from jobs.run_states as s),
    'for as long as it has been'
);

select jobs.end_run(r.run_id, 42, '{"stage": 1}')
from run as r;

select results_eq(
    'select r.rows, r.details from jobs.runs as r',
    $$values (42::bigint, '{"stage": 1}'::jsonb)$$,
    'the end notes the rows and the details'
);
select ok(
    (
        select r.finished_at between r.started_at and clock_timestamp()
        from jobs.runs as r
    ),
    'and the time'
);
select is((select s.state from jobs.run_states as s), 'finished', 'it has finished');
select is(
    (select s.duration from jobs.run_states as s),
    (select r.finished_at - r.started_at from jobs.runs as r),
    'after so long'
);
select ok(not tests.is_locked('refresh_trending'), 'and its job is free');

-- a run that was cancelled leaves its lock to the session, taken once more by the next
select lives_ok(
    $$select jobs.begin_run('keep_house');
    select jobs.end_run(jobs.begin_run('keep_house'), 0)$$,
    'a session whose run was cancelled can run the job again'
);
select ok(not tests.is_locked('keep_house'), 'and then it is free');
select results_eq(
    $$select s.state from jobs.run_states as s where s.job = 'keep_house' order by s.run_id$$,
    $$values ('failed'), ('finished')$$,
    'the cancelled run has failed'
);
select is(
    (
        select s.duration
        from jobs.run_states as s
        where s.state = 'failed'
    ),
    null,
    'nobody knows after how long'
);

select is(
    (
        select r.details from jobs.runs as r
        where r.job = 'keep_house' and r.finished_at is not null
    ),
    '{}'::jsonb,
    'details may be left out'
);

-- a clock that was set back during the run
select jobs.begin_run('train_models');
update jobs.runs as r
set started_at = clock_timestamp() + interval '1 hour'
where r.job = 'train_models';
select lives_ok(
    $$select jobs.end_run(r.run_id, 0) from jobs.runs as r where r.job = 'train_models'$$,
    'a run that seems to end before it began ends all the same'
);

-- lock_key
select isnt(
    jobs.lock_key('train_models'), jobs.lock_key('refresh_trending'), 'each job has its own key'
);
select is(
    (
        select count(distinct jobs.lock_key(s.job)) from jobs.schedules as s
    ),
    (select count(*) from jobs.schedules),
    'all of them differ'
);

-- schedule_all, in a database without pg_cron
select is(jobs.schedule_all(), 0, 'without pg_cron nothing is scheduled');
select results_eq(
    'select job, schedule, command, target, is_enabled from jobs.schedules order by job',
    $$
    values
    ('fit_profile', '0 4 * * 0', 'call jobs.fit_profile()', '15 minutes'::interval, false),
    ('keep_house', '30 3 * * *', 'call jobs.keep_house()', '1 minute', true),
    ('refresh_analytics', '20 * * * *', 'call jobs.refresh_analytics()', '5 minutes', true),
    ('refresh_engagement', '5 * * * *', 'call jobs.refresh_engagement()', '5 minutes', true),
    ('refresh_trending', '*/15 * * * *', 'call jobs.refresh_trending()', '30 seconds', true),
    ('train_models', '0 2 * * *', 'call jobs.train_models()', '15 minutes', true),
    ('update_models', '*/15 * * * *', 'call jobs.update_models()', '1 minute', true)
    $$,
    'the schedules are those of the contract'
);

select finish();
rollback;
