-- What jobs.refresh_analytics stores for analysts: counts by day, place and position, never of
-- a user.
--
-- Counts, not rates: rates do not add up over days. The views divide. Days outlive the log's
-- partitions, so a month that retention drops keeps its numbers.

begin;
set local role feed_owner;

create table analytics.targets (
    measure text primary key,
    target double precision not null
    constraint target_is_positive check (target > 0),
    meaning text not null
);

comment on table analytics.targets is
'What the service wants to reach. Changing a row moves the line in every view; no number changes.';
comment on column analytics.targets.measure is 'What is measured.';
comment on column analytics.targets.target is 'A fraction, seconds, or milliseconds: see meaning.';
comment on column analytics.targets.meaning is 'What the number means, in a sentence.';
comment on index analytics.targets_pkey is 'Serves the views: one target.';

insert into analytics.targets (measure, target, meaning) values
('click_through_rate', 0.05, 'Clicks on what the feed showed, a listing shown; at least.'),
('apply_rate', 0.10, 'Applications a click; at least.'),
('seconds_per_listing', 30, 'Seconds of looking, a view; at least.'),
(
    'users_with_personalisation', 0.80,
    'Users with personalisation on of whom the model in force knows a vector or tags; at least.'
),
('listings_shown', 0.90, 'Open listings that were on a screen in the last 30 days; at least.'),
(
    'users_with_neighbors', 0.70,
    'Users for whom the model in force knows similar users; at least.'
),
('feed_latency_ms', 200, 'Milliseconds of 99 in 100 feeds at the gateway; at most.'),
('query_latency_ms', 50, 'Milliseconds of 99 in 100 other API requests at the gateway; at most.');

create table analytics.refresh_parameters (
    is_only_row boolean primary key default true
    constraint refresh_parameters_have_one_row check (is_only_row),
    attribution_window interval not null default '7 days'
    constraint attribution_window_is_between_1_minute_and_30_days
    check (attribution_window between interval '1 minute' and interval '30 days'),
    late_event_window interval not null default '7 days'
    constraint late_event_window_is_not_negative check (late_event_window >= interval '0'),
    shown_window interval not null default '30 days'
    constraint shown_window_is_positive check (shown_window > interval '0'),
    sample_user_count integer not null default 100
    constraint sample_user_count_is_between_0_and_10000
    check (sample_user_count between 0 and 10000),
    sample_feed_length integer not null default 50
    constraint sample_feed_length_is_between_1_and_200
    check (sample_feed_length between 1 and 200),
    least_city_users integer not null default 5
    constraint least_city_users_are_positive check (least_city_users > 0),
    least_city_listings integer not null default 5
    constraint least_city_listings_are_positive check (least_city_listings > 0),
    city_radius_km double precision not null default 50
    constraint city_radius_is_positive check (city_radius_km > 0 and city_radius_km < 1000),
    recounted_at timestamptz
);

comment on table analytics.refresh_parameters is
'How jobs.refresh_analytics counts: one row. A change is in force for the days refreshed from
then on.';
comment on column analytics.refresh_parameters.is_only_row is
'Always true: keeps the table at one row.';
comment on column analytics.refresh_parameters.attribution_window is
'An interaction belongs to the user''s latest impression of the listing at or before it, if that
is not older than this.';
comment on column analytics.refresh_parameters.late_event_window is
'How late an event or impression may come in: the nightly run counts that many days anew. As
long as what track_interaction accepts.';
comment on column analytics.refresh_parameters.shown_window is
'An open listing counts as shown if it was on a screen within this time.';
comment on column analytics.refresh_parameters.sample_user_count is
'Users whose feeds are looked at for the distribution of scores, by profile; others every day.';
comment on column analytics.refresh_parameters.sample_feed_length is
'How much of each feed is looked at.';
comment on column analytics.refresh_parameters.least_city_users is
'A city with fewer users is not named: theirs count for the next city, or elsewhere.';
comment on column analytics.refresh_parameters.least_city_listings is
'A name in listings.attributes ->> ''city'' is a city from so many open listings on.';
comment on column analytics.refresh_parameters.city_radius_km is
'Farther than this from every named city is elsewhere.';
comment on column analytics.refresh_parameters.recounted_at is
'When the last nightly run began, as it noted itself: the next one begins late_event_window
before it. Null: count everything.';
comment on index analytics.refresh_parameters_pkey is 'Keeps the table at one row.';

insert into analytics.refresh_parameters default values;

create table analytics.stale_days (
    mark_no bigint generated always as identity primary key,
    since date not null
);

comment on table analytics.stale_days is
'Days that a load wrote into, however old: the next run counts anew from there and deletes the
marks that it read.';
comment on column analytics.stale_days.mark_no is 'Counts up.';
comment on column analytics.stale_days.since is 'The first day (UTC) that has new rows.';
comment on index analytics.stale_days_pkey is 'Serves the run that deletes what it read.';

create table analytics.cities (
    city text primary key
    constraint city_has_1_to_80_characters check (length(city) between 1 and 80),
    center ext.geography(point, 4326) not null,
    user_count bigint not null default 0
    constraint city_user_count_is_not_negative check (user_count >= 0)
);

comment on table analytics.cities is
'Places by which users are grouped. Once known, a city keeps its name and center, so that days
can be compared; new ones are added by the nightly run.';
comment on column analytics.cities.city is
'The name in listings.attributes ->> ''city'', or rounded coordinates such as "47.4 N 8.5 E".';
comment on column analytics.cities.center is 'The middle of its listings, or of their cluster.';
comment on column analytics.cities.user_count is
'Users to whom it is the nearest, as the last nightly run counted.';
comment on index analytics.cities_pkey is 'One center a name.';

create index cities_center_idx on analytics.cities using gist (center);
comment on index analytics.cities_center_idx is 'Serves the search for a user''s nearest city.';

create table analytics.daily_counts (
    day date primary key,
    impression_count bigint not null,
    impression_user_count bigint not null,
    view_count bigint not null,
    view_user_count bigint not null,
    view_seconds double precision not null,
    click_count bigint not null,
    click_user_count bigint not null,
    attributed_click_count bigint not null,
    save_count bigint not null,
    save_user_count bigint not null,
    share_count bigint not null,
    share_user_count bigint not null,
    apply_count bigint not null,
    apply_user_count bigint not null,
    dismiss_count bigint not null,
    dismiss_user_count bigint not null,
    active_user_count bigint not null,
    new_user_count bigint not null,
    new_listing_count bigint not null,
    refreshed_at timestamptz not null
);

comment on table analytics.daily_counts is 'What happened on each day (UTC): one row a day.';
comment on column analytics.daily_counts.day is 'The day, UTC.';
comment on column analytics.daily_counts.impression_count is 'Impressions given on that day.';
comment on column analytics.daily_counts.impression_user_count is 'Users who had any.';
comment on column analytics.daily_counts.view_count is
'Counted views: one a user, listing and hour.';
comment on column analytics.daily_counts.view_user_count is 'Users who viewed.';
comment on column analytics.daily_counts.view_seconds is
'Seconds of all views that the counted ones stand for.';
comment on column analytics.daily_counts.click_count is
'Counted clicks: one a user, listing and hour.';
comment on column analytics.daily_counts.click_user_count is 'Users who clicked.';
comment on column analytics.daily_counts.attributed_click_count is
'Counted clicks that belong to an impression.';
comment on column analytics.daily_counts.save_count is 'Saves: the first of a user and listing.';
comment on column analytics.daily_counts.save_user_count is 'Users who saved.';
comment on column analytics.daily_counts.share_count is
'Counted shares: one a user, listing and hour.';
comment on column analytics.daily_counts.share_user_count is 'Users who shared.';
comment on column analytics.daily_counts.apply_count is
'Applications: the first of a user and listing.';
comment on column analytics.daily_counts.apply_user_count is 'Users who applied.';
comment on column analytics.daily_counts.dismiss_count is
'Dismissals: the first of a user and listing.';
comment on column analytics.daily_counts.dismiss_user_count is 'Users who dismissed.';
comment on column analytics.daily_counts.active_user_count is
'Users with an impression or a counted interaction.';
comment on column analytics.daily_counts.new_user_count is 'Users who became known.';
comment on column analytics.daily_counts.new_listing_count is 'Listings that were posted.';
comment on column analytics.daily_counts.refreshed_at is 'When this day was counted last.';
comment on index analytics.daily_counts_pkey is 'One row a day.';

create table analytics.feed_counts (
    day date not null,
    profile_name text not null,
    position integer not null,
    city text not null,
    impression_count bigint not null,
    view_count bigint not null,
    view_seconds double precision not null,
    click_count bigint not null,
    apply_count bigint not null,
    primary key (day, profile_name, position, city)
);

comment on table analytics.feed_counts is
'What the feed showed on each day, and what came of it, by profile, position and city.';
comment on column analytics.feed_counts.day is 'The day (UTC) of the impression or interaction.';
comment on column analytics.feed_counts.profile_name is 'The profile that ranked.';
comment on column analytics.feed_counts.position is 'Rank on the page, from 1.';
comment on column analytics.feed_counts.city is
'The user''s: analytics.cities.city, elsewhere, or unknown for users without a location.';
comment on column analytics.feed_counts.impression_count is 'Impressions.';
comment on column analytics.feed_counts.view_count is 'Counted views that belong to one.';
comment on column analytics.feed_counts.view_seconds is 'Seconds of these.';
comment on column analytics.feed_counts.click_count is 'Counted clicks that belong to one.';
comment on column analytics.feed_counts.apply_count is 'Applications that belong to one.';
comment on index analytics.feed_counts_pkey is 'Serves the views by day, and the refresh of a day.';

create table analytics.coverage_counts (
    day date not null,
    measure text not null references analytics.targets,
    covered_count bigint not null,
    total_count bigint not null,
    refreshed_at timestamptz not null,
    primary key (day, measure),
    constraint covered_is_at_most_total check (covered_count between 0 and total_count)
);

comment on table analytics.coverage_counts is
'How many users and listings are reached, as the last run of each day counted.';
comment on column analytics.coverage_counts.day is 'The day, UTC.';
comment on column analytics.coverage_counts.measure is
'users_with_personalisation, listings_shown or users_with_neighbors.';
comment on column analytics.coverage_counts.covered_count is 'How many are reached.';
comment on column analytics.coverage_counts.total_count is 'Of how many.';
comment on column analytics.coverage_counts.refreshed_at is 'When it was counted.';
comment on index analytics.coverage_counts_pkey is 'Serves the views: the latest day.';

create index coverage_counts_measure_idx on analytics.coverage_counts (measure);
comment on index analytics.coverage_counts_measure_idx is 'Serves the foreign key.';

create table analytics.component_counts (
    profile_name text not null,
    component text not null,
    bucket_no smallint not null
    constraint bucket_no_is_between_0_and_19 check (bucket_no between 0 and 19),
    listing_count bigint not null,
    refreshed_at timestamptz not null,
    primary key (profile_name, component, bucket_no)
);

comment on table analytics.component_counts is
'Scores and component values in the feeds of a sample of users, in twenty buckets.';
comment on column analytics.component_counts.profile_name is 'The profile that ranked.';
comment on column analytics.component_counts.component is 'score, or one of the seven components.';
comment on column analytics.component_counts.bucket_no is
'From 0: values from bucket_no / 20, the last one with 1 itself.';
comment on column analytics.component_counts.listing_count is 'Rows of the feeds in this bucket.';
comment on column analytics.component_counts.refreshed_at is 'When the feeds were looked at.';
comment on index analytics.component_counts_pkey is 'Serves the view.';

create table analytics.application_curves (
    subject text not null
    constraint subject_is_listing_or_poster check (subject in ('listing', 'poster')),
    percentile smallint not null
    constraint percentile_is_between_0_and_100 check (percentile between 0 and 100),
    share_of_applications double precision,
    gini double precision,
    without_application_share double precision,
    subject_count bigint not null,
    refreshed_at timestamptz not null,
    primary key (subject, percentile)
);

comment on table analytics.application_curves is
'How unevenly applications fall on listings and posters: a Lorenz curve each.';
comment on column analytics.application_curves.subject is 'listing or poster.';
comment on column analytics.application_curves.percentile is
'The least applied-to so many percent.';
comment on column analytics.application_curves.share_of_applications is
'What they have of all applications; null if there are none.';
comment on column analytics.application_curves.gini is
'0: all have the same; near 1: one has all. Null if there are no applications.';
comment on column analytics.application_curves.without_application_share is
'Share of subjects without any application.';
comment on column analytics.application_curves.subject_count is 'How many there are.';
comment on column analytics.application_curves.refreshed_at is 'When it was computed.';
comment on index analytics.application_curves_pkey is 'Serves the view.';

commit;
