-- How many users and listings are reached, as last counted.

create or replace view analytics.coverage as
select
    c.measure,
    c.covered_count,
    c.total_count,
    c.share,
    c.target,
    c.is_met,
    c.meaning,
    c.refreshed_at
from analytics.coverage_course as c
where c.day = (select max(d.day) from analytics.coverage_counts as d);

comment on view analytics.coverage is
'Shares of users and listings that are reached, beside their targets; stored hourly by
jobs.refresh_analytics.
Example: select measure, share, target, is_met from analytics.coverage order by measure;';
comment on column analytics.coverage.measure is
'users_with_personalisation, listings_shown or users_with_neighbors.';
comment on column analytics.coverage.covered_count is 'How many are reached.';
comment on column analytics.coverage.total_count is 'Of how many: all users, or open listings.';
comment on column analytics.coverage.share is
'covered_count / total_count; null where there are none.';
comment on column analytics.coverage.target is 'From analytics.targets.';
comment on column analytics.coverage.is_met is 'share is at least target.';
comment on column analytics.coverage.meaning is 'What is measured, in a sentence.';
comment on column analytics.coverage.refreshed_at is 'When it was counted.';
