-- The advisory lock of a job.
--
-- Called by   jobs.begin_run, jobs.end_run, jobs.run_states

create or replace function jobs.lock_key(job text)
returns integer
language sql
immutable
parallel safe
return hashtext('pgfeed job ' || job);

comment on function jobs.lock_key is
'Second key of the session advisory lock that keeps a job to one run at a time; the first is 7334.';
