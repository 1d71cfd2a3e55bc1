-- What trends, for analysts.

create or replace view analytics.trending_listings as
select
    rank() over (order by t.trending_score desc) as rank,
    l.listing_id,
    l.title,
    l.tags,
    l.poster_uid,
    l.created_at,
    t.trending_score,
    m.view_count,
    m.click_count,
    m.apply_count,
    m.save_count,
    m.share_count,
    m.dismiss_count
from feed.trending_listings as t
inner join feed.listings as l using (listing_id)
left join feed.engagement_metrics as m using (listing_id)
where
    l.status = 'open'
    and (l.expires_at is null or l.expires_at > now());

comment on view analytics.trending_listings is
'Open listings by what happened with them in the last seven days, with their counters.
Example: select rank, title, trending_score from analytics.trending_listings
order by rank limit 20;';
comment on column analytics.trending_listings.rank is '1 is what trends most.';
comment on column analytics.trending_listings.listing_id is 'The listing.';
comment on column analytics.trending_listings.title is 'Its title.';
comment on column analytics.trending_listings.tags is 'Its tags.';
comment on column analytics.trending_listings.poster_uid is 'Who posted it.';
comment on column analytics.trending_listings.created_at is 'When it was posted.';
comment on column analytics.trending_listings.trending_score is
'Weighted interactions of seven days, halved every 24 hours, as of the last refresh.';
comment on column analytics.trending_listings.view_count is 'Counted views.';
comment on column analytics.trending_listings.click_count is 'Counted clicks.';
comment on column analytics.trending_listings.apply_count is 'Counted applications.';
comment on column analytics.trending_listings.save_count is 'Counted saves.';
comment on column analytics.trending_listings.share_count is 'Counted shares.';
comment on column analytics.trending_listings.dismiss_count is 'Counted dismissals.';
