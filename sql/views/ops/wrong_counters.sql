-- Listings whose counters are not base + recount.
--
-- What counts is read from the log and from the first times in user_listing_states: where a
-- state is wrong, a counter may seem so.
--
-- Called by   ops.recount
-- Costs       the whole log and all counters, in one snapshot

create or replace view ops.wrong_counters as
select
    listing_id,
    jsonb_build_object(
        'view_count', coalesce(m.view_count, 0),
        'click_count', coalesce(m.click_count, 0),
        'apply_count', coalesce(m.apply_count, 0),
        'save_count', coalesce(m.save_count, 0),
        'share_count', coalesce(m.share_count, 0),
        'dismiss_count', coalesce(m.dismiss_count, 0)
    ) as actual,
    jsonb_build_object(
        'view_count', coalesce(e.view_count, 0),
        'click_count', coalesce(e.click_count, 0),
        'apply_count', coalesce(e.apply_count, 0),
        'save_count', coalesce(e.save_count, 0),
        'share_count', coalesce(e.share_count, 0),
        'dismiss_count', coalesce(e.dismiss_count, 0)
    ) as expected
from feed.engagement_metrics as m
full join feed.expected_engagement as e using (listing_id)
where
    (
        coalesce(m.view_count, 0), coalesce(m.click_count, 0), coalesce(m.apply_count, 0),
        coalesce(m.save_count, 0), coalesce(m.share_count, 0), coalesce(m.dismiss_count, 0)
    )
    <> (
        coalesce(e.view_count, 0), coalesce(e.click_count, 0), coalesce(e.apply_count, 0),
        coalesce(e.save_count, 0), coalesce(e.share_count, 0), coalesce(e.dismiss_count, 0)
    );

comment on view ops.wrong_counters is
'Rows of feed.engagement_metrics whose six counters are not feed.expected_engagement''s.';
comment on column ops.wrong_counters.listing_id is 'The listing.';
comment on column ops.wrong_counters.actual is 'The six counters; a missing row is six zeros.';
comment on column ops.wrong_counters.expected is 'What they must be.';
