-- How many users and listings were reached, day by day.

create or replace view analytics.coverage_course as
select
    c.day,
    c.measure,
    c.covered_count,
    c.total_count,
    c.covered_count::double precision / nullif(c.total_count, 0) as share,
    t.target,
    c.covered_count::double precision / nullif(c.total_count, 0) >= t.target as is_met,
    t.meaning,
    c.refreshed_at
from analytics.coverage_counts as c
inner join analytics.targets as t using (measure);

comment on view analytics.coverage_course is
'Shares of users and listings that are reached, as the last run of jobs.refresh_analytics on each
day (UTC) found them.
Example: select day, share, target from analytics.coverage_course
where measure = ''listings_shown'' order by day;';
comment on column analytics.coverage_course.day is 'The day, UTC.';
comment on column analytics.coverage_course.measure is
'users_with_personalisation, listings_shown or users_with_neighbors.';
comment on column analytics.coverage_course.covered_count is 'How many were reached.';
comment on column analytics.coverage_course.total_count is
'Of how many: all users, or open listings.';
comment on column analytics.coverage_course.share is
'covered_count / total_count; null where there are none.';
comment on column analytics.coverage_course.target is 'From analytics.targets.';
comment on column analytics.coverage_course.is_met is 'share is at least target.';
comment on column analytics.coverage_course.meaning is 'What is measured, in a sentence.';
comment on column analytics.coverage_course.refreshed_at is 'When it was counted.';
