-- jobs.runs with what became of each run.
--
-- Called by   the doctor, analytics

create or replace view jobs.run_states as
select
    r.run_id,
    r.job,
    r.started_at,
    r.finished_at,
    coalesce(r.finished_at, case when k.is_held then clock_timestamp() end) - r.started_at
        as duration,
    r.rows,
    r.details,
    r.backend_pid,
    case
        when r.finished_at is not null then 'finished'
        when k.is_held then 'running'
        else 'failed'
    end as state
from jobs.runs as r
cross join lateral (
    select
        r.finished_at is null
        and exists (
            select
            from pg_catalog.pg_locks as l
            where
                l.locktype = 'advisory'
                and l.classid = 7334
                and l.objid = (jobs.lock_key(r.job)::bigint & 4294967295)::oid
                and l.pid = r.backend_pid
                and l.granted
        ) as is_held
) as k;

comment on view jobs.run_states is
'Every run of a job with its state: finished, running, or failed (neither finished nor holding
the job''s lock).';
comment on column jobs.run_states.run_id is 'The run.';
comment on column jobs.run_states.job is 'Its job.';
comment on column jobs.run_states.started_at is 'When the work began.';
comment on column jobs.run_states.finished_at is 'When it was done; null unless finished.';
comment on column jobs.run_states.duration is
'How long it took, or has been running; null if it failed.';
comment on column jobs.run_states.rows is 'Rows that it wrote.';
comment on column jobs.run_states.details is 'Counts and seconds by stage.';
comment on column jobs.run_states.backend_pid is 'The server process.';
comment on column jobs.run_states.state is 'finished, running or failed.';
