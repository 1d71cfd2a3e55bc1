-- How scores and components are distributed in real feeds.

create or replace view analytics.component_distribution as
select
    c.profile_name,
    c.component,
    c.bucket_no / 20.0::double precision as bucket_low,
    (c.bucket_no + 1) / 20.0::double precision as bucket_high,
    c.listing_count,
    c.listing_count::double precision
    / sum(c.listing_count) over (partition by c.profile_name, c.component) as share,
    c.refreshed_at
from analytics.component_counts as c;

comment on view analytics.component_distribution is
'The score and each component value in the feeds (top 50) of 100 users, other users
every day, by ranking profile and in twenty buckets; stored hourly by jobs.refresh_analytics.
A component that is nearly always in one bucket tells no listing from another.
Example: select bucket_low, share from analytics.component_distribution
where profile_name = ''default'' and component = ''score'' order by bucket_low;';
comment on column analytics.component_distribution.profile_name is 'The ranking profile.';
comment on column analytics.component_distribution.component is
'score, location, tag, engagement, recency, poster, collaborative or content; poster_affinity and
item_similarity of a profile that weighs them.';
comment on column analytics.component_distribution.bucket_low is 'Values from here on.';
comment on column analytics.component_distribution.bucket_high is
'Values below this; the last bucket has 1 itself.';
comment on column analytics.component_distribution.listing_count is 'Rows of the feeds.';
comment on column analytics.component_distribution.share is
'listing_count over all rows of the profile''s feeds.';
comment on column analytics.component_distribution.refreshed_at is 'When the feeds were asked for.';
