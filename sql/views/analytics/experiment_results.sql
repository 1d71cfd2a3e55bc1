-- How profiles fare over the same time, beside default.

create or replace view analytics.experiment_results as
select
    c.profile_name,
    c.measure,
    c.user_count,
    c.numerator,
    c.denominator,
    c.value,
    c.value - z.quantile * c.standard_error as low,
    c.value + z.quantile * c.standard_error as high,
    d.difference,
    d.difference - z.quantile * d.standard_error as difference_low,
    d.difference + z.quantile * d.standard_error as difference_high,
    abs(d.difference) > z.quantile * d.standard_error as is_different,
    (upper(e.buckets) - lower(e.buckets)) / 1000.0::double precision as share_of_users,
    e.started_at,
    c.from_time,
    c.to_time,
    c.refreshed_at
from analytics.experiment_counts as c
left join feed.experiments as e using (profile_name)
left join analytics.experiment_counts as o
    on
        c.measure = o.measure
        and o.profile_name = 'default'
        and c.profile_name <> 'default'
cross join
    lateral (
        select
            c.value - o.value as difference,
            -- of users who are not the same: variances add up
            sqrt(c.standard_error ^ 2 + o.standard_error ^ 2) as standard_error
    ) as d
-- of the normal distribution: 95 % lie within it
cross join (values (1.959963984540054::double precision)) as z (quantile);

comment on view analytics.experiment_results is
'How the profiles of experiments fare beside default over the same time, with 95 % intervals; a row
a profile and measure. A user counts in the profile that showed the listing, and an interaction as
in feed_quality, if its impression is within the time. Users are what is drawn (delta method), so
many clicks of few users are no certainty; with fewer than a hundred users a profile the intervals
are too narrow. Stored by jobs.refresh_analytics while an experiment runs: hourly in its first two
days, then nightly; the last results stay. docs/analysts/experiments.md says how to read it.
Example: select count(distinct profile_name) as profiles, count(*) filter (where is_different)
as differences, max(to_time) as compared_until from analytics.experiment_results;';
comment on column analytics.experiment_results.profile_name is 'The ranking profile that was used.';
comment on column analytics.experiment_results.measure is
'click_through_rate, apply_rate, seconds_per_listing or applications_per_user.';
comment on column analytics.experiment_results.user_count is
'Users to whom the profile showed a listing.';
comment on column analytics.experiment_results.numerator is
'Clicks, applications, seconds or applications that belong to an impression by this profile.';
comment on column analytics.experiment_results.denominator is
'Impressions, clicks, viewed listings or users.';
comment on column analytics.experiment_results.value is
'numerator / denominator; null if there is nothing to divide by.';
comment on column analytics.experiment_results.low is
'Lower end of the 95 % interval; null where it cannot be estimated: one user, or nothing at all.';
comment on column analytics.experiment_results.high is 'Upper end of the 95 % interval.';
comment on column analytics.experiment_results.difference is
'value less that of default; null for default itself.';
comment on column analytics.experiment_results.difference_low is
'Lower end of its 95 % interval.';
comment on column analytics.experiment_results.difference_high is
'Upper end of its 95 % interval.';
comment on column analytics.experiment_results.is_different is
'The interval of the difference leaves out 0. Look once, when the time that was planned is over:
who looks every day and stops at the first true is wrong far more often than once in twenty.';
comment on column analytics.experiment_results.share_of_users is
'The part of all users that has this profile now; null for default and what has ended.';
comment on column analytics.experiment_results.started_at is
'When the experiment started; null for default and what has ended.';
comment on column analytics.experiment_results.from_time is
'What was shown from then on counts: the latest start of a running experiment, or as far back as
analytics.refresh_parameters.comparison_window allows.';
comment on column analytics.experiment_results.to_time is 'Until then.';
comment on column analytics.experiment_results.refreshed_at is 'When it was counted.';
