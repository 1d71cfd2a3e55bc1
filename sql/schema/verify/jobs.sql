begin;

select
    r.run_id,
    r.job,
    r.started_at,
    r.finished_at,
    r.rows,
    r.details,
    r.backend_pid,
    s.schedule,
    s.command,
    s.target
from jobs.runs as r
inner join jobs.schedules as s using (job)
where false;

rollback;
