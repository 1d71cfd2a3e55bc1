-- Hourly: what analysts see of days, cities, coverage, components and inequality.
--
-- Today and yesterday every hour. The first run of a day is the nightly one: from
-- late_event_window before the last nightly run on, since an offline client may send what
-- happened that long ago; so nights that were missed are made up for. What a load wrote is
-- counted from its first day on, whenever that was. Days whose rows retention took are left as
-- they are: their numbers outlive them.
--
-- Running experiments are compared in the first run of a day, which reads all of their time, and
-- hourly while there is little to read.
--
-- Days go in batches, each a transaction: a run that is killed leaves every day as it was or
-- as it should be, and the next one does the same again.
--
-- Reads       feed, ml
-- Writes      analytics
-- Costs       with 1M interactions in 90 days: 1 s of processor for two days, 2 s for nine, 15 s
--             for all; the sampled feeds 2 s. It grows with the interactions of the days

create or replace procedure jobs.refresh_analytics()
language plpgsql
as $$
declare
    batch_days constant integer := 8;
    -- Longer than any transaction that records an interaction.
    leeway constant interval := interval '10 minutes';
    -- So long after its start an experiment has little to read.
    first_time constant interval := interval '2 days';
    started_at constant timestamptz := clock_timestamp();
    today constant date := analytics.day_of(started_at);
    run bigint;
    chosen analytics.refresh_parameters;
    marks bigint [];
    is_nightly boolean;
    from_day date;
    written bigint;
    total bigint := 0;
begin
    run := jobs.begin_run('refresh_analytics');
    if run is null then
        return;
    end if;
    commit;

    select p.* into chosen from analytics.refresh_parameters as p;
    -- A load that commits later leaves its mark for the next run.
    marks := array(select s.mark_no from analytics.stale_days as s);
    is_nightly := coalesce(analytics.day_of(chosen.recounted_at) < today, true)
    or marks <> '{}';

    if is_nightly then
        total := total + analytics.refresh_cities();
        commit;
    end if;

    from_day := least(
        today - 1,
        (
            select min(s.since) from analytics.stale_days as s
            where s.mark_no = any(marks)
        )
    );

    if chosen.recounted_at is null then
        from_day := least(
            from_day,
            (select analytics.day_of(min(i.created_at)) from feed.user_interactions as i),
            (select analytics.day_of(min(i.created_at)) from feed.feed_impressions as i)
        );
    elsif is_nightly then
        from_day := least(
            from_day,
            analytics.day_of(chosen.recounted_at - chosen.late_event_window - leeway)
        );
    end if;

    from_day := greatest(from_day, analytics.first_kept_day());

    for batch_day in 0..today - from_day by batch_days
    loop
        total := total + analytics.refresh_days(
            from_day + batch_day, least(from_day + batch_day + batch_days - 1, today)
        );
        commit;
    end loop;

    if
        is_nightly
        or exists (
            select from feed.experiments as e
            where e.started_at > clock_timestamp() - first_time
        )
    then
        total := total + analytics.refresh_experiments(clock_timestamp());
        commit;
    end if;

    insert into analytics.coverage_counts as c (
        day, measure, covered_count, total_count, refreshed_at
    )
    select
        today,
        r.measure,
        r.covered_count,
        r.total_count,
        clock_timestamp()
    from analytics.reach(clock_timestamp()) as r
    on conflict (day, measure) do update set
        covered_count = excluded.covered_count,
        total_count = excluded.total_count,
        refreshed_at = excluded.refreshed_at;
    get diagnostics written = row_count;
    total := total + written;
    commit;

    delete from analytics.component_counts;
    insert into analytics.component_counts (
        profile_name, component, bucket_no, listing_count, refreshed_at
    )
    select
        s.profile_name,
        s.component,
        s.bucket_no,
        s.listing_count,
        clock_timestamp()
    from analytics.sampled_components(clock_timestamp()) as s;
    get diagnostics written = row_count;
    total := total + written;
    commit;

    delete from analytics.application_curves;
    insert into analytics.application_curves (
        subject,
        percentile,
        share_of_applications,
        gini,
        without_application_share,
        subject_count,
        refreshed_at
    )
    select
        s.subject,
        c.percentile,
        c.share_of_applications,
        c.gini,
        c.without_application_share,
        c.subject_count,
        clock_timestamp()
    from unnest(array['listing', 'poster']) as s (subject)
    cross join lateral analytics.application_curve(s.subject, clock_timestamp()) as c;
    get diagnostics written = row_count;
    total := total + written;
    commit;

    delete from analytics.stale_days as s
    where s.mark_no = any(marks);

    update analytics.refresh_parameters as p
    set recounted_at = started_at
    where is_nightly;

    perform jobs.end_run(
        run,
        total,
        jsonb_build_object('from_day', from_day, 'is_nightly', is_nightly)
    );
    commit;
end;
$$;

comment on procedure jobs.refresh_analytics is
'Hourly: counts today and yesterday anew for analysts, in the first run of a day the last eight
days and more if nights were missed, and after a load everything from its first day on; then
coverage, components, inequality and running experiments.';

insert into jobs.schedules (job, schedule, command, target)
values ('refresh_analytics', '20 * * * *', 'call jobs.refresh_analytics()', '5 minutes')
on conflict (job) do update set
    schedule = excluded.schedule,
    command = excluded.command,
    target = excluded.target;
