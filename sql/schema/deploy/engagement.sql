-- Counters and the scale that turns them into scores.

begin;
set local role feed_owner;

create table feed.engagement_metrics (
    listing_id uuid primary key references feed.listings,
    view_count integer not null default 0,
    click_count integer not null default 0,
    apply_count integer not null default 0,
    save_count integer not null default 0,
    share_count integer not null default 0,
    dismiss_count integer not null default 0,
    engagement_score double precision not null default 0
    constraint engagement_score_is_a_fraction check (engagement_score between 0 and 1),
    trending_score double precision not null default 0,
    is_stale boolean not null default true,
    constraint engagement_counts_are_not_negative check (
        least(view_count, click_count, apply_count, save_count, share_count, dismiss_count) >= 0
    )
)
with (fillfactor = 70);

comment on table feed.engagement_metrics is
'What counts, by listing and type, exact at every commit; the scores are the hourly job''s.
A listing without a row has had no counted interaction.';
comment on column feed.engagement_metrics.listing_id is 'The listing.';
comment on column feed.engagement_metrics.view_count is 'Counted views: one a user and UTC hour.';
comment on column feed.engagement_metrics.click_count is 'Counted clicks: one a user and UTC hour.';
comment on column feed.engagement_metrics.apply_count is 'Users who applied.';
comment on column feed.engagement_metrics.save_count is 'Users who saved it.';
comment on column feed.engagement_metrics.share_count is 'Counted shares: one a user and UTC hour.';
comment on column feed.engagement_metrics.dismiss_count is 'Users who dismissed it.';
comment on column feed.engagement_metrics.engagement_score is
'In [0,1], as the hourly job stored it: feed.engagement_score.';
comment on column feed.engagement_metrics.trending_score is
'Decayed points of the last seven days, as the hourly job stored it.';
comment on column feed.engagement_metrics.is_stale is
'The counts have changed since engagement_score was computed.';
comment on index feed.engagement_metrics_pkey is
'Serves counting and scoring: one listing''s counters.';

create index engagement_metrics_stale_idx on feed.engagement_metrics (listing_id) where is_stale;
comment on index feed.engagement_metrics_stale_idx is
'Serves the hourly job: only what changed, in the order in which counters are locked.';

create index engagement_metrics_trending_idx
on feed.engagement_metrics (trending_score desc) where trending_score <> 0;
comment on index feed.engagement_metrics_trending_idx is
'Serves the trending view and the hourly job: listings with recent engagement.';

create table feed.engagement_base (
    listing_id uuid primary key references feed.listings,
    view_count integer not null default 0,
    click_count integer not null default 0,
    apply_count integer not null default 0,
    save_count integer not null default 0,
    share_count integer not null default 0,
    dismiss_count integer not null default 0,
    constraint base_counts_are_not_negative check (
        least(view_count, click_count, apply_count, save_count, share_count, dismiss_count) >= 0
    )
);

comment on table feed.engagement_base is
'Counts of log rows that have gone (retention, deletion): counter = base + recount, always.';
comment on column feed.engagement_base.listing_id is 'The listing.';
comment on column feed.engagement_base.view_count is 'Counted views no longer in the log.';
comment on column feed.engagement_base.click_count is 'Counted clicks no longer in the log.';
comment on column feed.engagement_base.apply_count is 'Counted applications no longer in the log.';
comment on column feed.engagement_base.save_count is 'Counted saves no longer in the log.';
comment on column feed.engagement_base.share_count is 'Counted shares no longer in the log.';
comment on column feed.engagement_base.dismiss_count is 'Counted dismissals no longer in the log.';
comment on index feed.engagement_base_pkey is 'Serves the recount of one listing.';

create table feed.engagement_scale (
    is_only_row boolean primary key default true
    constraint engagement_scale_has_one_row check (is_only_row),
    ceiling double precision not null default 100
    constraint ceiling_is_positive check (ceiling > 0),
    minimum_ceiling double precision not null default 100
    constraint minimum_ceiling_is_positive check (minimum_ceiling > 0),
    ceiling_quantile double precision not null default 0.999
    constraint ceiling_quantile_is_a_fraction check (ceiling_quantile between 0 and 1),
    ceiling_tolerance_low double precision not null default 0.8
    constraint ceiling_tolerance_low_is_below_1 check (ceiling_tolerance_low between 0 and 1),
    ceiling_tolerance_high double precision not null default 1.25
    constraint ceiling_tolerance_high_is_above_1 check (ceiling_tolerance_high >= 1),
    trending_window interval not null default '7 days'
    constraint trending_window_is_positive check (trending_window > interval '0'),
    trending_half_life interval not null default '24 hours'
    constraint trending_half_life_is_positive check (trending_half_life > interval '0')
);

comment on table feed.engagement_scale is
'The parameters of engagement and trending that are the same for everybody: one row.';
comment on column feed.engagement_scale.is_only_row is 'Always true: keeps the table at one row.';
comment on column feed.engagement_scale.ceiling is
'Raw points at which engagement_score reaches 1, as the hourly job last set it.';
comment on column feed.engagement_scale.minimum_ceiling is 'The ceiling is never set below this.';
comment on column feed.engagement_scale.ceiling_quantile is
'The ceiling follows this quantile of raw points over open listings.';
comment on column feed.engagement_scale.ceiling_tolerance_low is
'The ceiling is kept while the new one is at least this fraction of it.';
comment on column feed.engagement_scale.ceiling_tolerance_high is
'The ceiling is kept while the new one is at most this multiple of it.';
comment on column feed.engagement_scale.trending_window is 'Older interactions do not trend.';
comment on column feed.engagement_scale.trending_half_life is
'After this long an interaction counts half towards trending_score.';
comment on index feed.engagement_scale_pkey is 'Keeps the table at one row.';

insert into feed.engagement_scale default values;

commit;
