-- Every 15 minutes: similar users and vectors of users who came since the training.
--
-- Into the model in force, with what a training on the same data would give them. The lists of
-- others stay as they are until the next training.
--
-- Reads       feed.users, feed.user_listing_states, the last day of feed.user_interactions
-- Writes      ml.user_vectors, ml.user_neighbors
-- Costs       the pairs of the users and of everybody who chose what they chose

create or replace procedure jobs.update_models()
language plpgsql
as $$
declare
    run bigint;
    row_count bigint;
    details jsonb;
begin
    run := jobs.begin_run('update_models');
    if run is null then
        return;
    end if;
    commit;

    call ml.update(clock_timestamp(), row_count, details);

    perform jobs.end_run(run, row_count, details);
    commit;
end;
$$;

comment on procedure jobs.update_models is
'Every 15 minutes: gives users whom the model in force does not know similar users and a vector,
update_user_limit of them at most.';

insert into jobs.schedules (job, schedule, command, target)
values ('update_models', '*/15 * * * *', 'call jobs.update_models()', '1 minute')
on conflict (job) do update set
    schedule = excluded.schedule,
    command = excluded.command,
    target = excluded.target;
