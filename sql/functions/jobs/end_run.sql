-- Ends a run of a job.
--
-- Called by   the jobs

create or replace function jobs.end_run(run_id bigint, row_count bigint, details jsonb default '{}')
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    ended text;
begin
    update jobs.runs as r
    set
        finished_at = clock_timestamp(),
        rows = end_run.row_count,
        details = end_run.details
    where r.run_id = end_run.run_id
    returning r.job into ended;

    perform pg_advisory_unlock(7334, jobs.lock_key(ended));
end;
$$;

comment on function jobs.end_run is
'Notes that a run is done, with the rows it wrote and its details, and frees the job''s lock.';
