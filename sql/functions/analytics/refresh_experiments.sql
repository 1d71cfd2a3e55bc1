-- Counts anew how the profiles of running experiments and the others fare over the same time.
--
-- From the latest start of a running experiment on, at most comparison_window ago: before, users
-- of one profile were users of another. A user counts for each profile that showed a listing.
-- With no experiment running nothing is counted, and the last results stay.
--
-- By user, since users are what an experiment draws. Only sums and their spread are stored.
--
-- Called by   jobs.refresh_analytics
-- Reads       feed.experiments, feed.feed_impressions, feed.user_interactions
-- Writes      analytics.experiment_counts
-- Costs       the impressions and interactions of the time compared

create or replace function analytics.refresh_experiments(as_of timestamptz)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
-- The time decides which months are read: plans are made for it.
set plan_cache_mode = force_custom_plan
as $$
declare
    began_at constant timestamptz := greatest(
        (
            select max(e.started_at) from feed.experiments as e
            where e.started_at <= refresh_experiments.as_of
        ),
        refresh_experiments.as_of - (
            select p.comparison_window from analytics.refresh_parameters as p
        )
    );
    written bigint;
begin
    if not exists (
        select from feed.experiments as e
        where e.started_at <= refresh_experiments.as_of
    )
    then
        return 0;
    end if;

    delete from analytics.experiment_counts;

    insert into analytics.experiment_counts (
        profile_name,
        measure,
        user_count,
        numerator,
        denominator,
        value,
        standard_error,
        from_time,
        to_time,
        refreshed_at
    )
    with events as (
        select
            i.user_uid,
            i.profile_name,
            'impression' as stage,
            0::double precision as seconds
        from feed.feed_impressions as i
        where
            i.created_at >= began_at
            and i.created_at < refresh_experiments.as_of
        union all
        select
            a.user_uid,
            a.profile_name,
            a.type::text,
            a.seconds
        from analytics.attributed_events(
            analytics.day_of(began_at),
            analytics.day_of(refresh_experiments.as_of),
            (select p.attribution_window from analytics.refresh_parameters as p)
        ) as a
        where
            a.type in ('view', 'click', 'apply')
            and a.shown_at >= began_at
            and a.shown_at < refresh_experiments.as_of
    ),

    by_user as (
        select
            e.profile_name,
            count(*) filter (where e.stage = 'impression') as impressions,
            count(*) filter (where e.stage = 'click') as clicks,
            count(*) filter (where e.stage = 'apply') as applications,
            count(*) filter (where e.stage = 'view') as views,
            coalesce(sum(e.seconds) filter (where e.stage = 'view'), 0) as seconds
        from events as e
        group by e.profile_name, e.user_uid
    ),

    by_measure as (
        select
            u.profile_name,
            m.measure,
            count(*) as user_count,
            sum(m.numerator)::double precision as numerator,
            sum(m.denominator)::double precision as denominator,
            var_samp(m.numerator) as numerator_variance,
            var_samp(m.denominator) as denominator_variance,
            covar_samp(m.numerator, m.denominator) as covariance
        from by_user as u
        cross join
            lateral (
                values
                ('click_through_rate', u.clicks::double precision, u.impressions::double precision),
                ('apply_rate', u.applications, u.clicks),
                ('seconds_per_listing', u.seconds, u.views),
                ('applications_per_user', u.applications, 1)
            ) as m (measure, numerator, denominator)
        group by u.profile_name, m.measure
    )

    select
        b.profile_name,
        b.measure,
        b.user_count,
        b.numerator,
        b.denominator,
        b.numerator / nullif(b.denominator, 0),
        analytics.ratio_error(
            b.user_count,
            b.numerator,
            b.denominator,
            b.numerator_variance,
            b.denominator_variance,
            b.covariance
        ),
        began_at,
        refresh_experiments.as_of,
        clock_timestamp()
    from by_measure as b;
    get diagnostics written = row_count;

    return written;
end;
$$;

comment on function analytics.refresh_experiments is
'Replaces analytics.experiment_counts by what is known as of then, and returns the rows written: 0,
and nothing replaced, if no experiment runs.';
