-- feed.user_interactions -> interaction_keys, user_listing_states, engagement_metrics
--
-- The exact undoing of t50_count, in the same lock order: a key that no other row of the
-- log holds is uncounted, a pair without interactions has no state, and the times of a
-- pair are those of the rows that remain.

create or replace function feed.tg_user_interactions__uncount()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
    delete from feed.interaction_keys as k
    using deleted as d
    where
        k.user_uid = d.user_uid
        and k.event_id = d.event_id;

    -- Locked before the log is asked what remains, for the reason given at t50_count.
    perform
    from deleted as d
    inner join feed.users as u using (user_uid)
    inner join feed.listings as l using (listing_id)
    inner join feed.user_listing_states as s using (user_no, listing_no)
    order by s.user_no, s.listing_no
    for update of s;

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
        inner join feed.users as u using (user_uid)
        inner join feed.listings as l using (listing_id)
        inner join feed.user_listing_states as s using (user_no, listing_no)
        where
            g.hour = '-infinity'
            and feed.state_count(s, g.type) = g.row_count
            or g.hour > '-infinity'
            and not exists (
                select
                from feed.user_interactions as o
                where
                    o.user_uid = g.user_uid
                    and (o.listing_id, o.created_at) >= (g.listing_id, g.hour)
                    and (o.listing_id, o.created_at)
                    < (g.listing_id, g.hour + interval '1 hour')
                    and o.type = g.type
                    and o.created_at >= g.hour
                    and o.created_at < g.hour + interval '1 hour'
            )
    ),

    -- States go before counters, here as everywhere.
    remaining as (
        select
            s.user_no,
            s.listing_no,
            s.view_count - count(*) filter (where d.type = 'view') as view_count,
            s.click_count - count(*) filter (where d.type = 'click') as click_count,
            s.apply_count - count(*) filter (where d.type = 'apply') as apply_count,
            s.save_count - count(*) filter (where d.type = 'save') as save_count,
            s.share_count - count(*) filter (where d.type = 'share') as share_count,
            s.dismiss_count - count(*) filter (where d.type = 'dismiss') as dismiss_count,
            u.user_uid,
            l.listing_id
        from deleted as d
        inner join feed.users as u using (user_uid)
        inner join feed.listings as l using (listing_id)
        inner join feed.user_listing_states as s using (user_no, listing_no)
        group by s.user_no, s.listing_no, u.user_uid, l.listing_id
    ),

    emptied as (
        delete from feed.user_listing_states as s
        using remaining as r
        where
            s.user_no = r.user_no
            and s.listing_no = r.listing_no
            and r.view_count + r.click_count + r.apply_count + r.save_count + r.share_count
            + r.dismiss_count = 0
    ),

    lessened as (
        update feed.user_listing_states as s
        set
            view_count = r.view_count,
            click_count = r.click_count,
            apply_count = r.apply_count,
            save_count = r.save_count,
            share_count = r.share_count,
            dismiss_count = r.dismiss_count,
            strongest_weight = (
                select max(w.weight)
                from feed.interaction_weights as w
                where
                    case w.type
                        when 'view' then r.view_count
                        when 'click' then r.click_count
                        when 'apply' then r.apply_count
                        when 'save' then r.save_count
                        when 'share' then r.share_count
                        when 'dismiss' then r.dismiss_count
                    end > 0
            ),
            -- Of a type that has fewer rows in the log than counted here, retention took the
            -- first: its time stays.
            applied_at = case
                when r.apply_count > t.apply_count then s.applied_at
                else t.applied_at
            end,
            saved_at = case
                when r.save_count > t.save_count then s.saved_at
                else t.saved_at
            end,
            dismissed_at = case
                when r.dismiss_count > t.dismiss_count then s.dismissed_at
                else t.dismissed_at
            end,
            last_at = coalesce(t.last_at, s.last_at)
        from remaining as r
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
                and o.listing_id = r.listing_id
        ) as t
        where
            s.user_no = r.user_no
            and s.listing_no = r.listing_no
            and r.view_count + r.click_count + r.apply_count + r.save_count + r.share_count
            + r.dismiss_count > 0
    ),

    locked as (
        select m.listing_id
        from feed.engagement_metrics as m
        where m.listing_id in (select c.listing_id from uncounted as c)
        order by m.listing_id
        for no key update
    )

    update feed.engagement_metrics as m
    set
        view_count = m.view_count - c.view_count,
        click_count = m.click_count - c.click_count,
        apply_count = m.apply_count - c.apply_count,
        save_count = m.save_count - c.save_count,
        share_count = m.share_count - c.share_count,
        dismiss_count = m.dismiss_count - c.dismiss_count,
        is_stale = true
    from (
        select
            c.listing_id,
            count(*) filter (where c.type = 'view') as view_count,
            count(*) filter (where c.type = 'click') as click_count,
            count(*) filter (where c.type = 'apply') as apply_count,
            count(*) filter (where c.type = 'save') as save_count,
            count(*) filter (where c.type = 'share') as share_count,
            count(*) filter (where c.type = 'dismiss') as dismiss_count
        from uncounted as c
        group by c.listing_id
    ) as c
    inner join locked using (listing_id)
    where m.listing_id = c.listing_id;

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
