-- The runs of the jobs, one by one.

create or replace view analytics.job_runs as
select
    r.job,
    r.started_at,
    r.finished_at,
    r.duration,
    extract(epoch from r.duration)::double precision as duration_seconds,
    s.target,
    extract(epoch from s.target)::double precision as target_seconds,
    r.state,
    r.duration > s.target as is_over_target,
    r.rows
from jobs.run_states as r
left join jobs.schedules as s using (job)
where r.started_at > now() - interval '30 days';

comment on view analytics.job_runs is
'Every run of a job in the last 30 days, beside its target.
Example: select job, count(*), max(duration_seconds), max(target_seconds)
from analytics.job_runs group by job order by job;';
comment on column analytics.job_runs.job is 'The job.';
comment on column analytics.job_runs.started_at is 'When the run began.';
comment on column analytics.job_runs.finished_at is 'When it was done; null unless finished.';
comment on column analytics.job_runs.duration is
'How long it took, or has been running; null if it failed.';
comment on column analytics.job_runs.duration_seconds is 'The same in seconds.';
comment on column analytics.job_runs.target is 'How long a run may take; null if not scheduled.';
comment on column analytics.job_runs.target_seconds is 'The same in seconds.';
comment on column analytics.job_runs.state is 'finished, running or failed.';
comment on column analytics.job_runs.is_over_target is 'It took longer than its target.';
comment on column analytics.job_runs.rows is 'Rows that it wrote.';
