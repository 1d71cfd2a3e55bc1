-- Experiments: which part of the users is ranked by which profile, and what came of it.

begin;
set local role feed_owner;

create table feed.experiments (
    profile_name text primary key references feed.ranking_profiles
    constraint experiment_is_not_of_default check (profile_name <> 'default'),
    buckets int4range not null
    constraint experiment_buckets_are_between_0_and_999
    check (buckets <@ int4range(0, 1000) and not isempty(buckets)),
    started_at timestamptz not null default now(),
    constraint experiments_have_no_bucket_in_common exclude using gist (buckets with &&)
);

comment on table feed.experiments is
'Which users are ranked by another profile than default: a row a profile, with its part of the
thousand buckets into which feed.bucket_of divides all users. A row counts from its commit on.';
comment on column feed.experiments.profile_name is 'The profile that ranks for them.';
comment on column feed.experiments.buckets is
'Which buckets, of 0 to 999: [0,50) is 5 % of all users. Widening a range leaves those in it
where they are.';
comment on column feed.experiments.started_at is
'Since when. Set it anew when the range changes: results are counted from the latest start on.';
comment on index feed.experiments_pkey is 'One part a profile.';
comment on index feed.experiments_have_no_bucket_in_common is
'Keeps a user to one profile; serves feed.profile_of.';

alter table analytics.refresh_parameters
add column comparison_window interval not null default '28 days'
constraint comparison_window_is_between_1_hour_and_90_days
check (comparison_window between interval '1 hour' and interval '90 days');

comment on column analytics.refresh_parameters.comparison_window is
'How far back the profiles of experiments are compared at most.';

create table analytics.experiment_counts (
    profile_name text not null,
    measure text not null,
    user_count bigint not null,
    numerator double precision not null,
    denominator double precision not null,
    value double precision,
    standard_error double precision
    constraint standard_error_is_not_negative check (standard_error >= 0),
    from_time timestamptz not null,
    to_time timestamptz not null,
    refreshed_at timestamptz not null,
    primary key (profile_name, measure),
    constraint experiment_counts_go_forward check (to_time >= from_time)
);

comment on table analytics.experiment_counts is
'How each profile fared over the same time, while experiments run: sums over users, and the
standard error between users.';
comment on column analytics.experiment_counts.profile_name is 'The profile that ranked.';
comment on column analytics.experiment_counts.measure is
'click_through_rate, apply_rate, seconds_per_listing or applications_per_user.';
comment on column analytics.experiment_counts.user_count is
'Users to whom the profile showed a listing.';
comment on column analytics.experiment_counts.numerator is
'Clicks, applications, seconds or applications that belong to an impression by this profile.';
comment on column analytics.experiment_counts.denominator is
'Impressions, clicks, viewed listings or users.';
comment on column analytics.experiment_counts.value is
'numerator / denominator; null if there is nothing to divide by.';
comment on column analytics.experiment_counts.standard_error is
'Of value, users being drawn; null where it cannot be estimated.';
comment on column analytics.experiment_counts.from_time is 'What was shown from then on counts.';
comment on column analytics.experiment_counts.to_time is 'Until then.';
comment on column analytics.experiment_counts.refreshed_at is 'When it was counted.';
comment on index analytics.experiment_counts_pkey is 'Serves the view.';

commit;
