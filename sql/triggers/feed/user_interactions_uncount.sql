-- feed.user_interactions -> interaction_keys, user_listing_states, engagement_metrics
--
-- The exact undoing of t50_count, in the same lock order: a key that no other row of the
-- log holds is uncounted, a pair without interactions has no state, and the times of a
-- pair are those of the rows that remain.
--
-- The deleted rows stay on the outside, as the written ones do in t50_count: what is deleted here
-- is found first and deleted by its place, what is updated is found by its key on conflict. A join
-- with the table would let a planner that takes it to be empty turn the loop around.

create or replace function feed.tg_user_interactions__uncount()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
begin
    delete from feed.interaction_keys as k
    where k.ctid = any(
        array(
            select f.ctid
            from deleted as d
            cross join lateral (
                select f.ctid from feed.interaction_keys as f
                where
                    f.user_uid = d.user_uid
                    and f.event_id = d.event_id
                offset 0
            ) as f
        )
    );

    -- Locked before the log is asked what remains, for the reason given at t50_count.
    perform
    from (
        select distinct
            u.user_no,
            l.listing_no
        from deleted as d
        cross join lateral (
            select u.user_no from feed.users as u
            where u.user_uid = d.user_uid
            offset 0
        ) as u
        cross join lateral (
            select l.listing_no from feed.listings as l
            where l.listing_id = d.listing_id
            offset 0
        ) as l
        order by u.user_no, l.listing_no
    ) as p
    cross join lateral (
        select from feed.user_listing_states as s
        where
            s.user_no = p.user_no
            and s.listing_no = p.listing_no
        for update
    ) as s;

    with gone as (
        select
            d.user_uid,
            d.listing_id,
            d.type,
            feed.dedup_hour(d.type, d.created_at) as hour,
            count(*) as row_count
        from deleted as d
        group by d.user_uid, d.listing_id, d.type, feed.dedup_hour(d.type, d.created_at)
    ),

    uncounted as (
        select
            g.listing_id,
            g.type
        from gone as g
        cross join lateral (
            select u.user_no from feed.users as u
            where u.user_uid = g.user_uid
            offset 0
        ) as u
        cross join lateral (
            select l.listing_no from feed.listings as l
            where l.listing_id = g.listing_id
            offset 0
        ) as l
        cross join lateral (
            select feed.state_count(s, g.type) as row_count
            from feed.user_listing_states as s
            where
                s.user_no = u.user_no
                and s.listing_no = l.listing_no
            offset 0
        ) as s
        where
            g.hour = '-infinity'
            and s.row_count = g.row_count
            or g.hour > '-infinity'
            and feed.hour_row_count(g.user_uid, g.listing_id, g.type, g.hour, 1) = 0
    ),

    taken as (
        select
            d.user_uid,
            d.listing_id,
            count(*) filter (where d.type = 'view') as view_count,
            count(*) filter (where d.type = 'click') as click_count,
            count(*) filter (where d.type = 'apply') as apply_count,
            count(*) filter (where d.type = 'save') as save_count,
            count(*) filter (where d.type = 'share') as share_count,
            count(*) filter (where d.type = 'dismiss') as dismiss_count
        from deleted as d
        group by d.user_uid, d.listing_id
    ),

    remaining as (
        select
            t.user_uid,
            t.listing_id,
            s.ctid as place,
            s.user_no,
            s.listing_no,
            s.view_count - t.view_count as view_count,
            s.click_count - t.click_count as click_count,
            s.apply_count - t.apply_count as apply_count,
            s.save_count - t.save_count as save_count,
            s.share_count - t.share_count as share_count,
            s.dismiss_count - t.dismiss_count as dismiss_count,
            s.applied_at,
            s.saved_at,
            s.dismissed_at,
            s.last_at
        from taken as t
        cross join lateral (
            select u.user_no from feed.users as u
            where u.user_uid = t.user_uid
            offset 0
        ) as u
        cross join lateral (
            select l.listing_no from feed.listings as l
            where l.listing_id = t.listing_id
            offset 0
        ) as l
        cross join lateral (
            select
                s.ctid,
                s.user_no,
                s.listing_no,
                s.view_count,
                s.click_count,
                s.apply_count,
                s.save_count,
                s.share_count,
                s.dismiss_count,
                s.applied_at,
                s.saved_at,
                s.dismissed_at,
                s.last_at
            from feed.user_listing_states as s
            where
                s.user_no = u.user_no
                and s.listing_no = l.listing_no
            offset 0
        ) as s
    ),

    emptied as (
        delete from feed.user_listing_states as s
        where s.ctid = any(
            array(
                select r.place from remaining as r
                where
                    r.view_count + r.click_count + r.apply_count + r.save_count + r.share_count
                    + r.dismiss_count = 0
            )
        )
    ),

    lessened as (
        insert into feed.user_listing_states as s (
            user_no, listing_no, view_count, click_count, apply_count, save_count, share_count,
            dismiss_count, strongest_weight, applied_at, saved_at, dismissed_at, last_at
        )
        select
            r.user_no,
            r.listing_no,
            r.view_count,
            r.click_count,
            r.apply_count,
            r.save_count,
            r.share_count,
            r.dismiss_count,
            greatest(
                case when r.view_count > 0 then w.view_weight end,
                case when r.click_count > 0 then w.click_weight end,
                case when r.apply_count > 0 then w.apply_weight end,
                case when r.save_count > 0 then w.save_weight end,
                case when r.share_count > 0 then w.share_weight end,
                case when r.dismiss_count > 0 then w.dismiss_weight end
            ),
            -- Of a type that has fewer rows in the log than counted here, retention took the
            -- first: its time stays.
            case
                when r.apply_count > t.apply_count then r.applied_at
                else t.applied_at
            end,
            case
                when r.save_count > t.save_count then r.saved_at
                else t.saved_at
            end,
            case
                when r.dismiss_count > t.dismiss_count then r.dismissed_at
                else t.dismissed_at
            end,
            -- Of a pair that the log does not know any more, what remains is older than the log.
            coalesce(
                t.last_at, least(r.last_at, feed.log_start() - interval '1 microsecond')
            )
        from remaining as r
        cross join feed.engagement_weights as w
        cross join lateral (
            select
                count(*) filter (where o.type = 'apply') as apply_count,
                count(*) filter (where o.type = 'save') as save_count,
                count(*) filter (where o.type = 'dismiss') as dismiss_count,
                min(o.created_at) filter (where o.type = 'apply') as applied_at,
                min(o.created_at) filter (where o.type = 'save') as saved_at,
                min(o.created_at) filter (where o.type = 'dismiss') as dismissed_at,
                max(o.created_at) as last_at
            from feed.user_interactions as o
            where
                o.user_uid = r.user_uid
                -- A range of one: with = the planner may take the index of listings, and reads
                -- everybody's rows of a popular one.
                and o.listing_id >= r.listing_id
                and o.listing_id <= r.listing_id
        ) as t
        where
            r.view_count + r.click_count + r.apply_count + r.save_count + r.share_count
            + r.dismiss_count > 0
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

    -- The states are locked already; counters come last, here as everywhere.
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
    from uncounted as c
    group by c.listing_id
    order by c.listing_id
    on conflict (listing_id) do update set
        view_count = m.view_count - excluded.view_count,
        click_count = m.click_count - excluded.click_count,
        apply_count = m.apply_count - excluded.apply_count,
        save_count = m.save_count - excluded.save_count,
        share_count = m.share_count - excluded.share_count,
        dismiss_count = m.dismiss_count - excluded.dismiss_count,
        is_stale = true;

    return null;
end;
$$;

comment on function feed.tg_user_interactions__uncount is
'Takes deleted log rows out of interaction_keys, user_listing_states and engagement_metrics.';

create or replace trigger t50_uncount
after delete on feed.user_interactions
referencing old table as deleted
for each statement
execute function feed.tg_user_interactions__uncount();
