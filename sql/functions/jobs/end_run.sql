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
        -- the clock may have been set back meanwhile
        finished_at = greatest(clock_timestamp(), r.started_at),
        rows = end_run.row_count,
        details = end_run.details
    where r.run_id = end_run.run_id
    returning r.job into ended;

    -- As often as it was taken: a run that was cancelled in this session left it taken once more.
    while exists (
        select from pg_locks as l
        where
            l.locktype = 'advisory'
            and l.database = (
                select d.oid from pg_database as d
                where d.datname = current_database()
            )
            and l.classid = 7334
            and l.objid = (jobs.lock_key(ended)::bigint & 4294967295)::oid
            and l.objsubid = 2
            and l.pid = pg_backend_pid()
    )
    loop
        perform pg_advisory_unlock(7334, jobs.lock_key(ended));
    end loop;
end;
$$;

comment on function jobs.end_run is
'Notes that a run is done, with the rows it wrote and its details, and frees the job''s lock.';
