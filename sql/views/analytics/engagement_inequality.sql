-- How unevenly applications fall on listings and posters.

create or replace view analytics.engagement_inequality as
select
    c.subject,
    c.percentile,
    c.share_of_applications,
    c.gini,
    c.without_application_share,
    c.subject_count,
    c.refreshed_at
from analytics.application_curves as c;

comment on view analytics.engagement_inequality is
'Lorenz curves of applications over open listings, and over posters with open listings; stored
hourly by jobs.refresh_analytics. Were all alike, the least applied-to half had half of the
applications.
Example: select subject, gini, without_application_share
from analytics.engagement_inequality where percentile = 100;';
comment on column analytics.engagement_inequality.subject is 'listing or poster.';
comment on column analytics.engagement_inequality.percentile is
'0 to 100: the least applied-to so many percent of them.';
comment on column analytics.engagement_inequality.share_of_applications is
'Their share of all applications, in [0,1]; null if there are none.';
comment on column analytics.engagement_inequality.gini is
'Gini coefficient: 0 if all have the same, near 1 if one has all; null if there are none.';
comment on column analytics.engagement_inequality.without_application_share is
'Share of those without any application.';
comment on column analytics.engagement_inequality.subject_count is 'How many there are.';
comment on column analytics.engagement_inequality.refreshed_at is 'When it was computed.';
