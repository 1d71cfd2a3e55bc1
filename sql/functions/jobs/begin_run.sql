-- Enters a run of a job, if none is under way.
--
-- The caller commits before it works, so that the row is there whatever happens to the work.
-- The lock is the session's: a killed run frees it by going.
--
-- Called by   the jobs

create or replace function jobs.begin_run(job text)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    run bigint;
begin
    if not pg_try_advisory_lock(7334, jobs.lock_key(job)) then
        raise notice 'job % is already running', job;
        return null;
    end if;

    insert into jobs.runs (job)
    values (begin_run.job)
    returning run_id into run;

    return run;
end;
$$;

comment on function jobs.begin_run is
'Takes the job''s lock and enters a run: its run_id, or null if another run is under way. The
caller commits at once, and ends with jobs.end_run.';
