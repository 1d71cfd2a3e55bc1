-- Daily: user similarity, listing and user feature vectors.
--
-- Commits as it goes and publishes at the end: readers keep the former model until then, and
-- a killed run leaves rows that nobody reads, which the next one sweeps up.
--
-- Reads       feed.users, feed.listings, feed.posters, feed.user_listing_states
-- Writes      ml

create or replace procedure jobs.train_models()
language plpgsql
as $$
declare
    run bigint;
    row_count bigint;
    details jsonb;
begin
    run := jobs.begin_run('train_models');
    if run is null then
        return;
    end if;
    commit;

    call ml.train(clock_timestamp(), row_count, details);

    perform jobs.end_run(run, row_count, details);
    commit;
end;
$$;

comment on procedure jobs.train_models is
'Daily: trains user similarity, listing vectors and user vectors, and puts them in force.';

insert into jobs.schedules (job, schedule, command, target)
values ('train_models', '0 2 * * *', 'call jobs.train_models()', '15 minutes')
on conflict (job) do update set
    schedule = excluded.schedule,
    command = excluded.command,
    target = excluded.target;
