-- The run log and the schedules.

begin;
set local role feed_owner;

create table jobs.schedules (
    job text primary key,
    schedule text not null,
    command text not null,
    target interval not null
    constraint schedule_target_is_positive check (target > interval '0')
);

comment on table jobs.schedules is
'When each job runs. jobs.schedule_all() hands this table to pg_cron at every start.';
comment on column jobs.schedules.job is 'Name of the job, as in jobs.runs.';
comment on column jobs.schedules.schedule is 'Five cron fields, in GMT.';
comment on column jobs.schedules.command is 'The SQL that pg_cron runs.';
comment on column jobs.schedules.target is 'A run that takes longer is reported by the doctor.';
comment on index jobs.schedules_pkey is 'Serves jobs.schedule_all and the doctor.';

create table jobs.runs (
    run_id bigint generated always as identity primary key,
    job text not null,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    rows bigint,
    details jsonb not null default '{}'
    constraint run_details_are_an_object check (jsonb_typeof(details) = 'object'),
    backend_pid integer not null default pg_backend_pid(),
    constraint run_finishes_after_it_starts check (finished_at >= started_at)
);

comment on table jobs.runs is
'One row a run of a job, committed before the work starts. A row without finished_at is
running as long as its job''s advisory lock is held, and failed otherwise.';
comment on column jobs.runs.run_id is 'Counts up.';
comment on column jobs.runs.job is 'Name of the job: train_models, refresh_engagement, …';
comment on column jobs.runs.started_at is 'When the work began.';
comment on column jobs.runs.finished_at is
'When it was done; null while running or after a failure.';
comment on column jobs.runs.rows is 'Rows that the run wrote.';
comment on column jobs.runs.details is 'Counts and seconds by stage, as the job reports them.';
comment on column jobs.runs.backend_pid is
'The server process, to cancel it or to find it in the log.';
comment on index jobs.runs_pkey is 'Serves jobs.finish_run.';

create index runs_latest_idx on jobs.runs (job, started_at desc);
comment on index jobs.runs_latest_idx is
'Serves the doctor and analytics: the latest runs of a job.';

commit;
