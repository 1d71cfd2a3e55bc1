-- How what trends now came up: hour by hour.
--
-- What counts is written out once more, since a view lends no right to what a function reads: one
-- a user, listing, type and hour; apply, save and dismiss once ever; a poster's own never.
-- Lateral, so that the log is asked for ten listings, by index.

create or replace view analytics.trending_course as
with top as (
    select
        row_number() over (order by r.trending_score desc, r.listing_id asc) as rank,
        l.listing_id,
        l.listing_no,
        l.title
    from feed.trending_listings as r
    inner join feed.listings as l using (listing_id)
    where
        l.status = 'open'
        and (l.expires_at is null or l.expires_at > now())
    order by r.trending_score desc, r.listing_id asc
    limit 10
)

select
    t.rank,
    t.listing_id,
    t.title,
    c.hour,
    sum(c.interaction_count)::bigint as interaction_count,
    sum(c.interaction_count * w.weight)::bigint as points
from top as t
cross join
    lateral (
        select
            i.type,
            date_trunc('hour', i.created_at, 'UTC') as hour,
            count(distinct i.user_uid) as interaction_count
        from feed.user_interactions as i
        inner join feed.users as u using (user_uid)
        inner join feed.user_listing_states as s
            on
                u.user_no = s.user_no
                and t.listing_no = s.listing_no
        where
            i.listing_id = t.listing_id
            and i.created_at >= date_trunc('hour', now(), 'UTC') - interval '7 days'
            and case i.type
                when 'apply' then i.created_at = s.applied_at
                when 'save' then i.created_at = s.saved_at
                when 'dismiss' then i.created_at = s.dismissed_at
                else true
            end
        group by i.type, date_trunc('hour', i.created_at, 'UTC')
    ) as c
inner join feed.interaction_weights as w using (type)
group by t.rank, t.listing_id, t.title, c.hour;

comment on view analytics.trending_course is
'The ten listings that trend most, and what happened with each in every hour of the last 7 days.
Hours without anything have no row.
Example: select hour, points from analytics.trending_course where rank = 1 order by hour;';
comment on column analytics.trending_course.rank is '1 is what trends most; 1 to 10.';
comment on column analytics.trending_course.listing_id is 'The listing.';
comment on column analytics.trending_course.title is 'Its title.';
comment on column analytics.trending_course.hour is 'The hour (UTC).';
comment on column analytics.trending_course.interaction_count is 'Counted interactions in it.';
comment on column analytics.trending_course.points is
'Their weights added up (feed.interaction_weights), before any halving by age.';
