-- How the jobs fare, for analysts and DBAs.

create or replace view analytics.job_health as
select
    s.job,
    s.schedule,
    s.target,
    r.state,
    r.started_at,
    r.finished_at,
    r.duration,
    r.duration > s.target as is_over_target,
    r.rows,
    r.details,
    s.is_enabled
from jobs.schedules as s
left join lateral (
    select
        t.state,
        t.started_at,
        t.finished_at,
        t.duration,
        t.rows,
        t.details
    from jobs.run_states as t
    where t.job = s.job
    order by t.started_at desc
    limit 1
) as r on true;

comment on view analytics.job_health is
'The latest run of every job beside its target.
Example: select job, state, duration, target, is_over_target from analytics.job_health
order by job;';
comment on column analytics.job_health.job is 'The job.';
comment on column analytics.job_health.schedule is 'Its cron fields, in GMT.';
comment on column analytics.job_health.target is 'How long a run may take.';
comment on column analytics.job_health.state is
'finished, running or failed; null if it has never run.';
comment on column analytics.job_health.started_at is 'When the latest run began.';
comment on column analytics.job_health.finished_at is 'When it was done.';
comment on column analytics.job_health.duration is 'How long it took, or has been running.';
comment on column analytics.job_health.is_over_target is 'It took longer than its target.';
comment on column analytics.job_health.rows is 'Rows that it wrote.';
comment on column analytics.job_health.details is 'Counts by stage.';
comment on column analytics.job_health.is_enabled is 'pg_cron runs it; else only who calls it.';
