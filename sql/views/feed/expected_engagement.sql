-- What the counters must be: base + recount of the log.
--
-- Called by   the doctor, tests
-- Costs       the whole log

create or replace view feed.expected_engagement as
select
    t.listing_id,
    sum(t.view_count)::integer as view_count,
    sum(t.click_count)::integer as click_count,
    sum(t.apply_count)::integer as apply_count,
    sum(t.save_count)::integer as save_count,
    sum(t.share_count)::integer as share_count,
    sum(t.dismiss_count)::integer as dismiss_count
from (
    select
        b.listing_id,
        b.view_count,
        b.click_count,
        b.apply_count,
        b.save_count,
        b.share_count,
        b.dismiss_count
    from feed.engagement_base as b
    union all
    select
        c.listing_id,
        count(*) filter (where c.type = 'view'),
        count(*) filter (where c.type = 'click'),
        count(*) filter (where c.type = 'apply'),
        count(*) filter (where c.type = 'save'),
        count(*) filter (where c.type = 'share'),
        count(*) filter (where c.type = 'dismiss')
    from feed.counted_interactions('-infinity', 'infinity') as c
    group by c.listing_id
) as t
group by t.listing_id;

comment on view feed.expected_engagement is
'The six counters of every listing recounted from the log and engagement_base: what
feed.engagement_metrics must hold.';
comment on column feed.expected_engagement.listing_id is 'The listing.';
comment on column feed.expected_engagement.view_count is 'Counted views.';
comment on column feed.expected_engagement.click_count is 'Counted clicks.';
comment on column feed.expected_engagement.apply_count is 'Counted applications.';
comment on column feed.expected_engagement.save_count is 'Counted saves.';
comment on column feed.expected_engagement.share_count is 'Counted shares.';
comment on column feed.expected_engagement.dismiss_count is 'Counted dismissals.';
