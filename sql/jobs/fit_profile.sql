-- Weekly, if it is switched on: a ranking profile from what users chose of what they were shown.
--
-- Off by default: a profile is the operator's to try, and docs/analysts/experiments.md says how.
-- Nobody gets the new one before an experiment gives it to them.
--
-- Reads       feed.feed_impressions, feed.user_interactions
-- Writes      feed.ranking_profiles, a row if what was learned wins on later impressions
-- Costs       see ml.fit_parameters.impression_limit

create or replace procedure jobs.fit_profile()
language plpgsql
as $$
declare
    run bigint;
    row_count bigint;
    details jsonb;
begin
    run := jobs.begin_run('fit_profile');
    if run is null then
        return;
    end if;
    commit;

    call ml.fit_profile(clock_timestamp(), row_count, details);

    perform jobs.end_run(run, row_count, details);
    commit;
end;
$$;

comment on procedure jobs.fit_profile is
'Weekly, if jobs.schedules.is_enabled: fits a ranking profile from impressions, judges it on the
latest of them, and writes it as learned_YYYYMMDD if it is better than default by more than the
interval.';

-- Whether it is enabled is the operator's, once the row is there.
insert into jobs.schedules (job, schedule, command, target, is_enabled)
values ('fit_profile', '0 4 * * 0', 'call jobs.fit_profile()', '15 minutes', false)
on conflict (job) do update set
    schedule = excluded.schedule,
    command = excluded.command,
    target = excluded.target;
