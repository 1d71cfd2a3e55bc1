-- Rows of the user-item matrix that are not what the log says of their pair.
--
-- Only what the log can prove. A state outlives the log's partitions: of a type of which
-- engagement_base holds counts of the listing, rows may have gone, so a state may know of
-- more of them, and of an earlier first one, than the log.
--
-- Called by   ops.recount
-- Costs       the whole log and matrix, in one snapshot

create or replace view ops.wrong_states as
with recounted as (
    select
        u.user_no,
        l.listing_no,
        count(*) filter (where i.type = 'view') as view_count,
        count(*) filter (where i.type = 'click') as click_count,
        count(*) filter (where i.type = 'apply') as apply_count,
        count(*) filter (where i.type = 'save') as save_count,
        count(*) filter (where i.type = 'share') as share_count,
        count(*) filter (where i.type = 'dismiss') as dismiss_count,
        min(i.created_at) filter (where i.type = 'apply') as applied_at,
        min(i.created_at) filter (where i.type = 'save') as saved_at,
        min(i.created_at) filter (where i.type = 'dismiss') as dismissed_at,
        max(i.created_at) as last_at
    from feed.user_interactions as i
    inner join feed.users as u using (user_uid)
    inner join feed.listings as l using (listing_id)
    where l.poster_uid is distinct from i.user_uid
    group by u.user_no, l.listing_no
),

-- Both sides of a pair, and how much of the state nobody can deny.
compared as (
    select
        user_no,
        listing_no,
        s as state,
        r as log,
        case when b.view_count > 0 then s.view_count end as undenied_views,
        case when b.click_count > 0 then s.click_count end as undenied_clicks,
        case when b.apply_count > 0 then s.apply_count end as undenied_applies,
        case when b.save_count > 0 then s.save_count end as undenied_saves,
        case when b.share_count > 0 then s.share_count end as undenied_shares,
        case when b.dismiss_count > 0 then s.dismiss_count end as undenied_dismissals
    from feed.user_listing_states as s
    full join recounted as r using (user_no, listing_no)
    left join feed.listings as l using (listing_no)
    left join feed.users as u using (user_no)
    left join feed.engagement_base as b
        on
            l.listing_id = b.listing_id
            and l.poster_uid is distinct from u.user_uid
),

expected as (
    select
        c.user_no,
        c.listing_no,
        c.state,
        c.log,
        coalesce(greatest((c.log).view_count, c.undenied_views), 0) as view_count,
        coalesce(greatest((c.log).click_count, c.undenied_clicks), 0) as click_count,
        coalesce(greatest((c.log).apply_count, c.undenied_applies), 0) as apply_count,
        coalesce(greatest((c.log).save_count, c.undenied_saves), 0) as save_count,
        coalesce(greatest((c.log).share_count, c.undenied_shares), 0) as share_count,
        coalesce(greatest((c.log).dismiss_count, c.undenied_dismissals), 0) as dismiss_count
    from compared as c
),

restated as (
    select
        e.state,
        e.view_count + e.click_count + e.apply_count + e.save_count + e.share_count
        + e.dismiss_count > 0 as is_expected,
        row(
            e.user_no,
            e.listing_no,
            e.view_count,
            e.click_count,
            e.apply_count,
            e.save_count,
            e.share_count,
            e.dismiss_count,
            greatest(
                case when e.view_count > 0 then w.view_weight end,
                case when e.click_count > 0 then w.click_weight end,
                case when e.apply_count > 0 then w.apply_weight end,
                case when e.save_count > 0 then w.save_weight end,
                case when e.share_count > 0 then w.share_weight end,
                case when e.dismiss_count > 0 then w.dismiss_weight end
            ),
            e.dismiss_count > 0,
            -- of a type that has more than the log, the first may have gone
            case
                when e.apply_count > coalesce((e.log).apply_count, 0)
                    then least((e.log).applied_at, (e.state).applied_at)
                else (e.log).applied_at
            end,
            case
                when e.save_count > coalesce((e.log).save_count, 0)
                    then least((e.log).saved_at, (e.state).saved_at)
                else (e.log).saved_at
            end,
            case
                when e.dismiss_count > coalesce((e.log).dismiss_count, 0)
                    then least((e.log).dismissed_at, (e.state).dismissed_at)
                else (e.log).dismissed_at
            end,
            -- what goes is the oldest, so the latest of the log is the latest
            coalesce((e.log).last_at, (e.state).last_at)
        )::feed.user_listing_states as expected
    from expected as e
    cross join feed.engagement_weights as w
)

select
    (r.expected).user_no as user_no,
    (r.expected).listing_no as listing_no,
    to_jsonb(r.state) as actual,
    case when r.is_expected then to_jsonb(r.expected) end as expected
from restated as r
where
    case
        when r.is_expected then r.state is distinct from r.expected
        else (r.state).user_no is not null
    end;

comment on view ops.wrong_states is
'Rows of feed.user_listing_states that are missing, too many or different from the log, as far
as the log can tell.';
comment on column ops.wrong_states.user_no is 'The user.';
comment on column ops.wrong_states.listing_no is 'The listing.';
comment on column ops.wrong_states.actual is 'The row as it is; null if missing.';
comment on column ops.wrong_states.expected is
'The row as the log proves it; null if there should be none.';
