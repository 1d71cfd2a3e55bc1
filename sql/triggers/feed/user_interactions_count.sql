-- feed.user_interactions -> interaction_keys, user_listing_states, engagement_metrics
--
-- Counts once per statement, however many rows it wrote; a single row, the commonest statement by
-- far, goes a way of its own: without sorting and sums each step is one look-up or one write by
-- key, in three quarters of the time. Both ways come to the same.
--
-- One lock order for everybody: keys by (user_uid, event_id), states by (user_no, listing_no),
-- counters by listing_id; so no two statements deadlock.
--
-- Whether a row counts is asked of the log in a statement of its own, after the states are
-- locked: its snapshot then holds all that a concurrent writer of the same pair committed.
--
-- A state is found by user and listing together in either of its indexes, so that the planner can
-- choose neither everybody's states of a popular listing nor all that the user ever did.
--
-- Plans are made once a session, perhaps for a load of 100,000 rows or for empty tables, and
-- serve every statement after it: look-ups by key are right for one row and good for many.
-- `offset 0` keeps the written rows on the outside: a planner that takes the tables to be empty
-- would look through the written rows for each row of a table.

create or replace function feed.tg_user_interactions__count()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
    single record;
    type_row_count integer;
begin
    select
        i.user_uid,
        i.listing_id,
        i.type,
        i.metadata,
        i.created_at,
        i.event_id,
        u.user_no,
        l.listing_no,
        l.poster_uid is not distinct from i.user_uid as is_own,
        w.weight,
        feed.dedup_hour(i.type, i.created_at) as hour,
        -- one for its type, and none for the others
        (i.type = 'view')::integer as view_count,
        (i.type = 'click')::integer as click_count,
        (i.type = 'apply')::integer as apply_count,
        (i.type = 'save')::integer as save_count,
        (i.type = 'share')::integer as share_count,
        (i.type = 'dismiss')::integer as dismiss_count,
        case i.type when 'apply' then i.created_at end as applied_at,
        case i.type when 'save' then i.created_at end as saved_at,
        case i.type when 'dismiss' then i.created_at end as dismissed_at,
        (select count(*) = 1 from (select from inserted limit 2) as first_two) as is_alone
    into single
    from
        (
            select
                i.user_uid,
                i.listing_id,
                i.type,
                i.metadata,
                i.created_at,
                i.event_id
            from inserted as i
            limit 1
        ) as i
    cross join lateral (
        select u.user_no from feed.users as u
        where u.user_uid = i.user_uid
        offset 0
    ) as u
    cross join lateral (
        select l.listing_no, l.poster_uid from feed.listings as l
        where l.listing_id = i.listing_id
        offset 0
    ) as l
    cross join lateral (
        select w.weight from feed.interaction_weights as w
        where w.type = i.type
        offset 0
    ) as w;

    if single.is_alone then
        insert into feed.interaction_keys (user_uid, event_id, payload_hash, created_at)
        values (
            single.user_uid,
            single.event_id,
            feed.payload_hash(single.listing_id, single.type, single.metadata),
            single.created_at
        );

        if single.is_own then
            return null;
        end if;

        insert into feed.user_listing_states as s (
            user_no, listing_no, view_count, click_count, apply_count, save_count, share_count,
            dismiss_count, strongest_weight, applied_at, saved_at, dismissed_at, last_at
        )
        values (
            single.user_no,
            single.listing_no,
            single.view_count,
            single.click_count,
            single.apply_count,
            single.save_count,
            single.share_count,
            single.dismiss_count,
            single.weight,
            single.applied_at,
            single.saved_at,
            single.dismissed_at,
            single.created_at
        )
        on conflict (user_no, listing_no) do update set
            view_count = s.view_count + excluded.view_count,
            click_count = s.click_count + excluded.click_count,
            apply_count = s.apply_count + excluded.apply_count,
            save_count = s.save_count + excluded.save_count,
            share_count = s.share_count + excluded.share_count,
            dismiss_count = s.dismiss_count + excluded.dismiss_count,
            strongest_weight = greatest(s.strongest_weight, excluded.strongest_weight),
            applied_at = least(s.applied_at, excluded.applied_at),
            saved_at = least(s.saved_at, excluded.saved_at),
            dismissed_at = least(s.dismissed_at, excluded.dismissed_at),
            last_at = greatest(s.last_at, excluded.last_at)
        returning feed.state_count(s, single.type) into type_row_count;

        -- The pair's first of this type, or the first of its hour.
        if
            type_row_count = 1
            or single.hour > '-infinity'
            and feed.hour_row_count(
                single.user_uid, single.listing_id, single.type, single.hour, 2
            ) = 1
        then
            insert into feed.engagement_metrics as m (
                listing_id, view_count, click_count, apply_count, save_count, share_count,
                dismiss_count
            )
            values (
                single.listing_id,
                single.view_count,
                single.click_count,
                single.apply_count,
                single.save_count,
                single.share_count,
                single.dismiss_count
            )
            on conflict (listing_id) do update set
                view_count = m.view_count + excluded.view_count,
                click_count = m.click_count + excluded.click_count,
                apply_count = m.apply_count + excluded.apply_count,
                save_count = m.save_count + excluded.save_count,
                share_count = m.share_count + excluded.share_count,
                dismiss_count = m.dismiss_count + excluded.dismiss_count,
                is_stale = true;
        end if;

        return null;
    end if;

    insert into feed.interaction_keys (user_uid, event_id, payload_hash, created_at)
    select
        i.user_uid,
        i.event_id,
        feed.payload_hash(i.listing_id, i.type, i.metadata),
        i.created_at
    from inserted as i
    order by i.user_uid, i.event_id;

    insert into feed.user_listing_states as s (
        user_no, listing_no, view_count, click_count, apply_count, save_count, share_count,
        dismiss_count, strongest_weight, applied_at, saved_at, dismissed_at, last_at
    )
    select
        u.user_no,
        l.listing_no,
        count(*) filter (where i.type = 'view'),
        count(*) filter (where i.type = 'click'),
        count(*) filter (where i.type = 'apply'),
        count(*) filter (where i.type = 'save'),
        count(*) filter (where i.type = 'share'),
        count(*) filter (where i.type = 'dismiss'),
        max(w.weight),
        min(i.created_at) filter (where i.type = 'apply'),
        min(i.created_at) filter (where i.type = 'save'),
        min(i.created_at) filter (where i.type = 'dismiss'),
        max(i.created_at)
    from inserted as i
    cross join lateral (
        select u.user_no from feed.users as u
        where u.user_uid = i.user_uid
        offset 0
    ) as u
    cross join lateral (
        select l.listing_no, l.poster_uid from feed.listings as l
        where l.listing_id = i.listing_id
        offset 0
    ) as l
    cross join lateral (
        select w.weight from feed.interaction_weights as w
        where w.type = i.type
        offset 0
    ) as w
    where l.poster_uid is distinct from i.user_uid
    group by u.user_no, l.listing_no
    order by u.user_no, l.listing_no
    on conflict (user_no, listing_no) do update set
        view_count = s.view_count + excluded.view_count,
        click_count = s.click_count + excluded.click_count,
        apply_count = s.apply_count + excluded.apply_count,
        save_count = s.save_count + excluded.save_count,
        share_count = s.share_count + excluded.share_count,
        dismiss_count = s.dismiss_count + excluded.dismiss_count,
        strongest_weight = greatest(s.strongest_weight, excluded.strongest_weight),
        applied_at = least(s.applied_at, excluded.applied_at),
        saved_at = least(s.saved_at, excluded.saved_at),
        dismissed_at = least(s.dismissed_at, excluded.dismissed_at),
        last_at = greatest(s.last_at, excluded.last_at);

    with written as (
        select
            i.user_uid,
            i.listing_id,
            i.type,
            feed.dedup_hour(i.type, i.created_at) as hour,
            count(*) as row_count,
            sum(count(*)) over (partition by i.user_uid, i.listing_id, i.type) as type_row_count
        from inserted as i
        group by i.user_uid, i.listing_id, i.type, feed.dedup_hour(i.type, i.created_at)
    ),

    counted as (
        select
            w.listing_id,
            w.type
        from written as w
        cross join lateral (
            select u.user_no from feed.users as u
            where u.user_uid = w.user_uid
            offset 0
        ) as u
        cross join lateral (
            select l.listing_no from feed.listings as l
            where l.listing_id = w.listing_id
            offset 0
        ) as l
        cross join lateral (
            select feed.state_count(s, w.type) as row_count
            from feed.user_listing_states as s
            where
                s.user_no = u.user_no
                and s.listing_no = l.listing_no
            offset 0
        ) as s
        where
            -- the pair's first of this type
            s.row_count = w.type_row_count
            -- or the first of its hour: no row in the log but those just written
            or w.hour > '-infinity'
            and w.row_count = feed.hour_row_count(
                w.user_uid, w.listing_id, w.type, w.hour, w.row_count + 1
            )
    )

    insert into feed.engagement_metrics as m (
        listing_id, view_count, click_count, apply_count, save_count, share_count, dismiss_count
    )
    select
        c.listing_id,
        count(*) filter (where c.type = 'view'),
        count(*) filter (where c.type = 'click'),
        count(*) filter (where c.type = 'apply'),
        count(*) filter (where c.type = 'save'),
        count(*) filter (where c.type = 'share'),
        count(*) filter (where c.type = 'dismiss')
    from counted as c
    group by c.listing_id
    order by c.listing_id
    on conflict (listing_id) do update set
        view_count = m.view_count + excluded.view_count,
        click_count = m.click_count + excluded.click_count,
        apply_count = m.apply_count + excluded.apply_count,
        save_count = m.save_count + excluded.save_count,
        share_count = m.share_count + excluded.share_count,
        dismiss_count = m.dismiss_count + excluded.dismiss_count,
        is_stale = true;

    return null;
end;
$$;

comment on function feed.tg_user_interactions__count is
'Enters new log rows into interaction_keys, user_listing_states and engagement_metrics.';

create or replace trigger t50_count
after insert on feed.user_interactions
referencing new table as inserted
for each statement
execute function feed.tg_user_interactions__count();
