-- Recounts keys, states and counters from the log: says what differs, and repairs it.
--
-- The check is one statement, so one snapshot: a writer's log row, key, state and counter are in
-- it together or not at all, and it locks nothing.
--
-- A repair locks as everybody does: users, then keys, states, counters, each in order. It looks
-- for what is wrong first, locks that, and looks again, since only then nobody who is counting
-- can come in between. FOR UPDATE on a user waits for those who have written rows of theirs but
-- not counted them yet: their foreign keys hold the user's row. Writers of others go on.
--
-- Called by   pgfeed doctor (check), a DBA
-- Writes      feed.interaction_keys, feed.user_listing_states, feed.engagement_metrics
-- Costs       the whole log three times; a repair six times

create or replace function ops.recount(repair boolean default false)
returns table (
    relation text,
    key jsonb,
    actual jsonb,
    expected jsonb,
    is_repaired boolean
)
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    user_uids uuid [];
    listing_ids uuid [];
begin
    if not repair then
        return query
        select
            'feed.interaction_keys',
            jsonb_build_object('user_uid', k.user_uid, 'event_id', k.event_id),
            k.actual,
            k.expected,
            false
        from ops.wrong_keys as k
        union all
        select
            'feed.user_listing_states',
            jsonb_build_object('user_no', s.user_no, 'listing_no', s.listing_no),
            s.actual,
            s.expected,
            false
        from ops.wrong_states as s
        union all
        select
            'feed.engagement_metrics',
            jsonb_build_object('listing_id', c.listing_id),
            c.actual,
            c.expected,
            false
        from ops.wrong_counters as c;

        return;
    end if;

    user_uids := array(
        select k.user_uid from ops.wrong_keys as k
        union
        select u.user_uid
        from ops.wrong_states as s
        inner join feed.users as u using (user_no)
    );

    if user_uids <> '{}' then
        perform
        from feed.users as u
        where u.user_uid = any(user_uids)
        order by u.user_no
        for update;

        return query
        with wrong as materialized (
            select
                k.user_uid,
                k.event_id,
                k.actual,
                k.expected,
                k.is_repeated
            from ops.wrong_keys as k
            where k.user_uid = any(user_uids)
        ),

        removed as (
            delete from feed.interaction_keys as k
            using wrong as w
            where
                k.user_uid = w.user_uid
                and k.event_id = w.event_id
                and w.expected is null
        ),

        entered as (
            insert into feed.interaction_keys as k (user_uid, event_id, payload_hash, created_at)
            select
                w.user_uid,
                w.event_id,
                (w.expected ->> 'payload_hash')::bigint,
                (w.expected ->> 'created_at')::timestamptz
            from wrong as w
            where
                w.expected is not null
                and not w.is_repeated
            order by w.user_uid, w.event_id
            on conflict (user_uid, event_id) do update set
                payload_hash = excluded.payload_hash,
                created_at = excluded.created_at
        )

        select
            'feed.interaction_keys',
            jsonb_build_object('user_uid', w.user_uid, 'event_id', w.event_id),
            w.actual,
            w.expected,
            not w.is_repeated
        from wrong as w;

        return query
        with wrong as materialized (
            select
                s.user_no,
                s.listing_no,
                s.actual,
                s.expected
            from ops.wrong_states as s
            inner join feed.users as u using (user_no)
            where u.user_uid = any(user_uids)
        ),

        removed as (
            delete from feed.user_listing_states as s
            using wrong as w
            where
                s.user_no = w.user_no
                and s.listing_no = w.listing_no
                and w.expected is null
        ),

        entered as (
            insert into feed.user_listing_states as s (
                user_no, listing_no, view_count, click_count, apply_count, save_count,
                share_count, dismiss_count, strongest_weight, applied_at, saved_at,
                dismissed_at, last_at
            )
            select
                e.user_no,
                e.listing_no,
                e.view_count,
                e.click_count,
                e.apply_count,
                e.save_count,
                e.share_count,
                e.dismiss_count,
                e.strongest_weight,
                e.applied_at,
                e.saved_at,
                e.dismissed_at,
                e.last_at
            from wrong as w
            cross join lateral jsonb_populate_record(
                null::feed.user_listing_states, w.expected
            ) as e
            where w.expected is not null
            order by e.user_no, e.listing_no
            on conflict (user_no, listing_no) do update set
                view_count = excluded.view_count,
                click_count = excluded.click_count,
                apply_count = excluded.apply_count,
                save_count = excluded.save_count,
                share_count = excluded.share_count,
                dismiss_count = excluded.dismiss_count,
                strongest_weight = excluded.strongest_weight,
                applied_at = excluded.applied_at,
                saved_at = excluded.saved_at,
                dismissed_at = excluded.dismissed_at,
                last_at = excluded.last_at
        )

        select
            'feed.user_listing_states',
            jsonb_build_object('user_no', w.user_no, 'listing_no', w.listing_no),
            w.actual,
            w.expected,
            true
        from wrong as w;
    end if;

    -- Only now, since what counts is asked of the states, too.
    listing_ids := array(select c.listing_id from ops.wrong_counters as c);

    if listing_ids <> '{}' then
        insert into feed.engagement_metrics as m (listing_id)
        select l.listing_id
        from unnest(listing_ids) as l (listing_id)
        order by l.listing_id
        on conflict (listing_id) do update set is_stale = true;

        return query
        with wrong as materialized (
            select
                c.listing_id,
                c.actual,
                c.expected
            from ops.wrong_counters as c
            where c.listing_id = any(listing_ids)
        ),

        corrected as (
            update feed.engagement_metrics as m
            set
                view_count = e.view_count,
                click_count = e.click_count,
                apply_count = e.apply_count,
                save_count = e.save_count,
                share_count = e.share_count,
                dismiss_count = e.dismiss_count
            from wrong as w
            cross join lateral jsonb_populate_record(
                null::feed.engagement_metrics, w.expected
            ) as e
            where m.listing_id = w.listing_id
        )

        select
            'feed.engagement_metrics',
            jsonb_build_object('listing_id', w.listing_id),
            w.actual,
            w.expected,
            true
        from wrong as w;
    end if;
end;
$$;

comment on function ops.recount is
'Rows of interaction_keys, user_listing_states and engagement_metrics that are not what the log
(and engagement_base) says: as they are and as they are expected, null for a row that is missing
or should be. Changes nothing unless repair is true; then a row with is_repaired is now as
expected. May run beside live writers.';
