-- Hourly: engagement scores and trending scores.
--
-- Touches the counters that changed, and those that trend or did: batch by batch in the
-- order in which the count triggers lock them, each batch committed, so that nobody who
-- writes an interaction waits for long. Scores go block by block, each folded in its own
-- transaction, so that feeds never have more than a block of changes to read beside. The
-- ceiling is replaced only when it is far off, for then every score changes.
--
-- Reads       feed.engagement_metrics, the last seven days of feed.user_interactions
-- Writes      feed.engagement_metrics, feed.engagement_scale, feed.listing_blocks

create or replace procedure jobs.refresh_engagement()
language plpgsql
as $$
declare
    batch_size constant integer := 5000;
    started_at constant timestamptz := clock_timestamp();
    run bigint;
    scale feed.engagement_scale;
    wanted_ceiling double precision;
    block record;
    batch uuid [];
    written bigint;
    scored bigint := 0::bigint;
    trended bigint := 0::bigint;
    trending_ids uuid [];
    trending_scores double precision [];
begin
    run := jobs.begin_run('refresh_engagement');
    if run is null then
        return;
    end if;
    commit;

    select s.* into scale from feed.engagement_scale as s;
    wanted_ceiling := feed.engagement_ceiling();

    if
        wanted_ceiling < scale.ceiling * scale.ceiling_tolerance_low
        or wanted_ceiling > scale.ceiling * scale.ceiling_tolerance_high
    then
        perform
        from feed.engagement_metrics as m
        where not m.is_stale
        order by m.listing_id
        for no key update;

        update feed.engagement_metrics as m
        set is_stale = true
        where not m.is_stale;

        update feed.engagement_scale as s
        set ceiling = wanted_ceiling
        returning s.* into scale;
        commit;
    end if;

    perform feed.fold_changes();
    commit;

    for block in
        select g.listing_nos_of_block as listing_nos
        from feed.group_by_block(
            array(
                select l.listing_no
                from feed.engagement_metrics as m
                inner join feed.listings as l using (listing_id)
                where m.is_stale
            )
        ) as g
    loop
        -- Locked first: the next statement then sees the counters as they are.
        batch := array(
            select m.listing_id
            from feed.engagement_metrics as m
            where
                m.is_stale
                and m.listing_id in (
                    select l.listing_id
                    from feed.listings as l
                    where l.listing_no = any(block.listing_nos)
                )
            order by m.listing_id
            for no key update
        );

        update feed.engagement_metrics as m
        set
            engagement_score
            = feed.engagement_score(feed.engagement_points(m, w), scale.ceiling),
            is_stale = false
        from feed.engagement_weights as w
        where m.listing_id = any(batch);

        perform feed.fold_changes(block.listing_nos);

        scored := scored + cardinality(batch);
        commit;
    end loop;

    -- Every listing whose stored trending_score is not what the log says now.
    with fresh as (
        select
            c.listing_id,
            sum(
                w.weight * power(
                    0.5::double precision,
                    (
                        extract(epoch from started_at - c.counted_at)
                        / extract(epoch from scale.trending_half_life)
                    )::double precision
                )
            ) as trending_score
        from feed.counted_interactions(started_at - scale.trending_window, started_at) as c
        inner join feed.interaction_weights as w using (type)
        group by c.listing_id
    )

    select
        array_agg(t.listing_id order by t.listing_id),
        array_agg(t.trending_score order by t.listing_id)
    into trending_ids, trending_scores
    from (
        select
            listing_id,
            coalesce(f.trending_score, 0) as trending_score
        from fresh as f
        full join (
            select
                m.listing_id,
                m.trending_score
            from feed.engagement_metrics as m
            where m.trending_score <> 0
        ) as m using (listing_id)
        where coalesce(f.trending_score, 0) <> coalesce(m.trending_score, 0)
    ) as t;

    for start in 1..coalesce(cardinality(trending_ids), 0) by batch_size
    loop
        perform
        from feed.engagement_metrics as m
        where m.listing_id = any(trending_ids[start:start + batch_size - 1])
        order by m.listing_id
        for no key update;

        update feed.engagement_metrics as m
        set trending_score = t.trending_score
        from
            unnest(
                trending_ids[start:start + batch_size - 1],
                trending_scores[start:start + batch_size - 1]
            ) as t (listing_id, trending_score)
        where m.listing_id = t.listing_id;

        get diagnostics written = row_count;
        trended := trended + written;
        commit;
    end loop;

    perform jobs.end_run(
        run,
        scored + trended,
        jsonb_build_object('scored', scored, 'trended', trended, 'ceiling', scale.ceiling)
    );
    commit;
end;
$$;

comment on procedure jobs.refresh_engagement is
'Hourly: engagement scores of the listings whose counters changed, trending scores of the last
seven days, and the engagement ceiling when it is far off.';

insert into jobs.schedules (job, schedule, command, target)
values ('refresh_engagement', '5 * * * *', 'call jobs.refresh_engagement()', '5 minutes')
on conflict (job) do update set
    schedule = excluded.schedule,
    command = excluded.command,
    target = excluded.target;
