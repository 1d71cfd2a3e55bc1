-- What users did with each listing, for analysts.

create or replace view analytics.listing_engagement as
select
    l.listing_id,
    l.title,
    l.status,
    l.created_at,
    coalesce(m.view_count, 0) as view_count,
    coalesce(m.click_count, 0) as click_count,
    coalesce(m.apply_count, 0) as apply_count,
    coalesce(m.save_count, 0) as save_count,
    coalesce(m.share_count, 0) as share_count,
    coalesce(m.dismiss_count, 0) as dismiss_count,
    coalesce(m.engagement_score, 0) as engagement_score,
    coalesce(m.trending_score, 0) as trending_score,
    m.apply_count::double precision / nullif(m.click_count, 0) as apply_rate
from feed.listings as l
left join feed.engagement_metrics as m using (listing_id);

comment on view analytics.listing_engagement is
'Every listing with its counters and scores.
Example: select title, apply_rate from analytics.listing_engagement where click_count >= 5
order by apply_rate desc limit 20;';
comment on column analytics.listing_engagement.listing_id is 'The listing.';
comment on column analytics.listing_engagement.title is 'Its title.';
comment on column analytics.listing_engagement.status is 'open or closed.';
comment on column analytics.listing_engagement.created_at is 'When it was posted.';
comment on column analytics.listing_engagement.view_count is 'Counted views.';
comment on column analytics.listing_engagement.click_count is 'Counted clicks.';
comment on column analytics.listing_engagement.apply_count is 'Counted applications.';
comment on column analytics.listing_engagement.save_count is 'Counted saves.';
comment on column analytics.listing_engagement.share_count is 'Counted shares.';
comment on column analytics.listing_engagement.dismiss_count is 'Counted dismissals.';
comment on column analytics.listing_engagement.engagement_score is 'In [0,1], as ranked.';
comment on column analytics.listing_engagement.trending_score is
'Weighted interactions of seven days, halved every 24 hours.';
comment on column analytics.listing_engagement.apply_rate is
'Applications a click; null without clicks.';
