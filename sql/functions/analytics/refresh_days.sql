-- Counts some days anew and replaces what is stored of them.
--
-- One transaction: readers see the old numbers of these days or the new ones, and a run that is
-- killed leaves the old ones. What has not changed is not written, but for the time.
--
-- Called by   jobs.refresh_analytics
-- Reads       feed.user_interactions, feed.feed_impressions, feed.users, feed.listings
-- Writes      analytics.daily_counts, analytics.feed_counts

create or replace function analytics.refresh_days(from_day date, to_day date)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
-- The days decide which months are read: plans are made for them.
set plan_cache_mode = force_custom_plan
as $$
declare
    began_at constant timestamptz := analytics.day_start(refresh_days.from_day);
    ended_at constant timestamptz := analytics.day_start(refresh_days.to_day + 1);
    chosen analytics.refresh_parameters;
    written bigint;
    total bigint := 0;
begin
    select p.* into chosen from analytics.refresh_parameters as p;

    with impressions as materialized (
        select
            analytics.day_of(i.created_at) as day,
            i.user_uid,
            i.profile_name,
            i.position
        from feed.feed_impressions as i
        where
            i.created_at >= began_at
            and i.created_at < ended_at
    ),

    attributed as materialized (
        select
            a.day,
            a.user_uid,
            a.profile_name,
            a.shown_position as position,
            a.type,
            a.seconds
        from analytics.attributed_events(
            refresh_days.from_day, refresh_days.to_day, chosen.attribution_window
        ) as a
        where a.type in ('view', 'click', 'apply')
    ),

    homes as materialized (
        select
            u.user_uid,
            analytics.city_of(
                u.location, chosen.least_city_users, chosen.city_radius_km
            ) as city
        from feed.users as u
        where u.user_uid in (
            select i.user_uid from impressions as i
            union all
            select a.user_uid from attributed as a
        )
    ),

    fresh as (
        select
            e.day,
            e.profile_name,
            e.position,
            h.city,
            count(*) filter (where e.type is null) as impression_count,
            count(*) filter (where e.type = 'view') as view_count,
            coalesce(sum(e.seconds) filter (where e.type = 'view'), 0) as view_seconds,
            count(*) filter (where e.type = 'click') as click_count,
            count(*) filter (where e.type = 'apply') as apply_count
        from (
            select
                i.day,
                i.user_uid,
                i.profile_name,
                i.position,
                null::feed.interaction_type as type,
                0 as seconds
            from impressions as i
            union all
            select
                a.day,
                a.user_uid,
                a.profile_name,
                a.position,
                a.type,
                a.seconds
            from attributed as a
        ) as e
        inner join homes as h using (user_uid)
        group by e.day, e.profile_name, e.position, h.city
    ),

    gone as (
        delete from analytics.feed_counts as c
        where
            c.day between refresh_days.from_day and refresh_days.to_day
            and not exists (
                select from fresh as f
                where
                    f.day = c.day
                    and f.profile_name = c.profile_name
                    and f.position = c.position
                    and f.city = c.city
            )
        returning 1
    ),

    put as (
        insert into analytics.feed_counts as c (
            day, profile_name, position, city,
            impression_count, view_count, view_seconds, click_count, apply_count
        )
        select
            f.day,
            f.profile_name,
            f.position,
            f.city,
            f.impression_count,
            f.view_count,
            f.view_seconds,
            f.click_count,
            f.apply_count
        from fresh as f
        on conflict (day, profile_name, position, city) do update set
            impression_count = excluded.impression_count,
            view_count = excluded.view_count,
            view_seconds = excluded.view_seconds,
            click_count = excluded.click_count,
            apply_count = excluded.apply_count
        where
            (c.impression_count, c.view_count, c.view_seconds, c.click_count, c.apply_count)
            is distinct from (
                excluded.impression_count,
                excluded.view_count,
                excluded.view_seconds,
                excluded.click_count,
                excluded.apply_count
            )
        returning 1
    )

    select (select count(*) from gone) + (select count(*) from put) into written;

    total := total + written;

    insert into analytics.daily_counts as c (
        day,
        impression_count,
        impression_user_count,
        view_count,
        view_user_count,
        view_seconds,
        click_count,
        click_user_count,
        attributed_click_count,
        save_count,
        save_user_count,
        share_count,
        share_user_count,
        apply_count,
        apply_user_count,
        dismiss_count,
        dismiss_user_count,
        active_user_count,
        new_user_count,
        new_listing_count,
        refreshed_at
    )
    with events as (
        select
            analytics.day_of(e.counted_at) as day,
            e.user_uid,
            e.type::text as stage,
            e.seconds
        from analytics.counted_events(refresh_days.from_day, refresh_days.to_day) as e
        union all
        select
            analytics.day_of(i.created_at),
            i.user_uid,
            'impression',
            0
        from feed.feed_impressions as i
        where
            i.created_at >= began_at
            and i.created_at < ended_at
    ),

    -- One row a user, day and stage: counting distinct users over all events would sort them all.
    by_user as (
        select
            e.day,
            e.user_uid,
            e.stage,
            count(*) as event_count,
            sum(e.seconds) as seconds
        from events as e
        group by e.day, e.user_uid, e.stage
    ),

    by_day as (
        select
            u.day,
            sum(u.event_count) filter (where u.stage = 'impression') as impression_count,
            count(*) filter (where u.stage = 'impression') as impression_user_count,
            sum(u.event_count) filter (where u.stage = 'view') as view_count,
            count(*) filter (where u.stage = 'view') as view_user_count,
            sum(u.seconds) filter (where u.stage = 'view') as view_seconds,
            sum(u.event_count) filter (where u.stage = 'click') as click_count,
            count(*) filter (where u.stage = 'click') as click_user_count,
            sum(u.event_count) filter (where u.stage = 'save') as save_count,
            count(*) filter (where u.stage = 'save') as save_user_count,
            sum(u.event_count) filter (where u.stage = 'share') as share_count,
            count(*) filter (where u.stage = 'share') as share_user_count,
            sum(u.event_count) filter (where u.stage = 'apply') as apply_count,
            count(*) filter (where u.stage = 'apply') as apply_user_count,
            sum(u.event_count) filter (where u.stage = 'dismiss') as dismiss_count,
            count(*) filter (where u.stage = 'dismiss') as dismiss_user_count,
            count(distinct u.user_uid) as active_user_count
        from by_user as u
        group by u.day
    ),

    attributed as (
        select
            f.day,
            sum(f.click_count) as click_count
        from analytics.feed_counts as f
        where f.day between refresh_days.from_day and refresh_days.to_day
        group by f.day
    ),

    joined as (
        select
            analytics.day_of(u.created_at) as day,
            count(*) as user_count
        from feed.users as u
        where
            u.created_at >= began_at
            and u.created_at < ended_at
        group by analytics.day_of(u.created_at)
    ),

    posted as (
        select
            analytics.day_of(l.created_at) as day,
            count(*) as listing_count
        from feed.listings as l
        where
            l.created_at >= began_at
            and l.created_at < ended_at
        group by analytics.day_of(l.created_at)
    )

    select
        d.day,
        coalesce(b.impression_count, 0),
        coalesce(b.impression_user_count, 0),
        coalesce(b.view_count, 0),
        coalesce(b.view_user_count, 0),
        coalesce(b.view_seconds, 0),
        coalesce(b.click_count, 0),
        coalesce(b.click_user_count, 0),
        coalesce(a.click_count, 0),
        coalesce(b.save_count, 0),
        coalesce(b.save_user_count, 0),
        coalesce(b.share_count, 0),
        coalesce(b.share_user_count, 0),
        coalesce(b.apply_count, 0),
        coalesce(b.apply_user_count, 0),
        coalesce(b.dismiss_count, 0),
        coalesce(b.dismiss_user_count, 0),
        coalesce(b.active_user_count, 0),
        coalesce(j.user_count, 0),
        coalesce(p.listing_count, 0),
        clock_timestamp()
    from (
        select generate_series(
            refresh_days.from_day::timestamp, refresh_days.to_day::timestamp, interval '1 day'
        )::date as day
    ) as d
    left join by_day as b using (day)
    left join attributed as a using (day)
    left join joined as j using (day)
    left join posted as p using (day)
    on conflict (day) do update set
        impression_count = excluded.impression_count,
        impression_user_count = excluded.impression_user_count,
        view_count = excluded.view_count,
        view_user_count = excluded.view_user_count,
        view_seconds = excluded.view_seconds,
        click_count = excluded.click_count,
        click_user_count = excluded.click_user_count,
        attributed_click_count = excluded.attributed_click_count,
        save_count = excluded.save_count,
        save_user_count = excluded.save_user_count,
        share_count = excluded.share_count,
        share_user_count = excluded.share_user_count,
        apply_count = excluded.apply_count,
        apply_user_count = excluded.apply_user_count,
        dismiss_count = excluded.dismiss_count,
        dismiss_user_count = excluded.dismiss_user_count,
        active_user_count = excluded.active_user_count,
        new_user_count = excluded.new_user_count,
        new_listing_count = excluded.new_listing_count,
        refreshed_at = excluded.refreshed_at;
    get diagnostics written = row_count;

    return total + written;
end;
$$;

comment on function analytics.refresh_days is
'Counts the days from from_day to to_day (UTC, both inclusive) anew from the log and the
impressions, replaces what is stored of them, and returns the rows written.';
