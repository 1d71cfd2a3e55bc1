-- What counted goes into the base, before its rows leave the log: counters stay as they are.
--
-- Planned for each call, so that one user's rows are found by key and one month's in its
-- partition. Rows of the base are locked in listing_id order, like counters.
--
-- Called by   api.delete_my_data, feed.drop_outlived_partition
-- Writes      feed.engagement_base

create or replace function feed.move_to_base(
    after timestamptz,
    until timestamptz,
    user_uid uuid default null
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
begin
    insert into feed.engagement_base as b (
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
    from feed.counted_interactions(move_to_base.after, move_to_base.until) as c
    where move_to_base.user_uid is null or c.user_uid = move_to_base.user_uid
    group by c.listing_id
    order by c.listing_id
    on conflict (listing_id) do update set
        view_count = b.view_count + excluded.view_count,
        click_count = b.click_count + excluded.click_count,
        apply_count = b.apply_count + excluded.apply_count,
        save_count = b.save_count + excluded.save_count,
        share_count = b.share_count + excluded.share_count,
        dismiss_count = b.dismiss_count + excluded.dismiss_count;
end;
$$;

comment on function feed.move_to_base is
'Adds what counts of the log, from after (exclusive) to until (inclusive), of one user or of all,
to engagement_base. The caller takes these rows out of the log in the same transaction.';
