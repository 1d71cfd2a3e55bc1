-- Ranking profiles: the weights and their parameters.

begin;
set local role feed_owner;

create table feed.ranking_profiles (
    profile_name text primary key
    constraint profile_name_is_a_word check (profile_name ~ '^[a-z][a-z0-9_-]{0,62}$'),
    -- numeric, since float8 weights do not sum to exactly 1
    location_weight numeric(6, 5) not null default 0.25
    constraint location_weight_is_not_negative check (location_weight >= 0),
    tag_weight numeric(6, 5) not null default 0.20
    constraint tag_weight_is_not_negative check (tag_weight >= 0),
    engagement_weight numeric(6, 5) not null default 0.15
    constraint engagement_weight_is_not_negative check (engagement_weight >= 0),
    recency_weight numeric(6, 5) not null default 0.10
    constraint recency_weight_is_not_negative check (recency_weight >= 0),
    poster_weight numeric(6, 5) not null default 0.10
    constraint poster_weight_is_not_negative check (poster_weight >= 0),
    collaborative_weight numeric(6, 5) not null default 0.10
    constraint collaborative_weight_is_not_negative check (collaborative_weight >= 0),
    content_weight numeric(6, 5) not null default 0.10
    constraint content_weight_is_not_negative check (content_weight >= 0),
    location_decay_km double precision not null default 25
    constraint location_decay_is_positive
    check (location_decay_km > 0 and location_decay_km < 'infinity'),
    unknown_location_score double precision not null default 0.5
    constraint unknown_location_score_is_a_fraction check (unknown_location_score between 0 and 1),
    inferred_tag_count integer not null default 10
    constraint inferred_tag_count_is_not_negative check (inferred_tag_count between 0 and 100),
    recency_half_life interval not null default '7 days'
    constraint recency_half_life_is_positive check (recency_half_life > interval '0'),
    seen_window interval not null default '30 days'
    constraint seen_window_is_not_negative check (seen_window >= interval '0'),
    collaborative_window interval not null default '90 days'
    constraint collaborative_window_is_positive check (collaborative_window > interval '0'),
    created_at timestamptz not null default now(),
    constraint ranking_weights_sum_to_1 check (
        location_weight + tag_weight + engagement_weight + recency_weight + poster_weight
        + collaborative_weight + content_weight = 1
    )
);

comment on table feed.ranking_profiles is
'How the seven components are weighted, and every parameter that is not global.';
comment on column feed.ranking_profiles.profile_name is 'default is what clients get.';
comment on column feed.ranking_profiles.location_weight is 'Weight of nearness.';
comment on column feed.ranking_profiles.tag_weight is 'Weight of the tags in common.';
comment on column feed.ranking_profiles.engagement_weight is 'Weight of what others did with it.';
comment on column feed.ranking_profiles.recency_weight is 'Weight of being new.';
comment on column feed.ranking_profiles.poster_weight is 'Weight of the poster''s quality.';
comment on column feed.ranking_profiles.collaborative_weight is
'Weight of what similar users chose.';
comment on column feed.ranking_profiles.content_weight is
'Weight of likeness to what the user chose.';
comment on column feed.ranking_profiles.location_decay_km is
'Distance at which the location score is 1/e.';
comment on column feed.ranking_profiles.unknown_location_score is
'Location score where the user or the listing has no location.';
comment on column feed.ranking_profiles.inferred_tag_count is
'How many tags are inferred for a user who prefers none.';
comment on column feed.ranking_profiles.recency_half_life is
'Age at which the recency score is one half.';
comment on column feed.ranking_profiles.seen_window is
'A listing that the user touched within this time is not shown.';
comment on column feed.ranking_profiles.collaborative_window is
'Older choices of similar users do not enter.';
comment on column feed.ranking_profiles.created_at is 'When the profile was made.';
comment on index feed.ranking_profiles_pkey is 'Serves every feed: the profile by its name.';

insert into feed.ranking_profiles (profile_name) values ('default');

commit;
