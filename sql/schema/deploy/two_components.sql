-- Two more components of the ranking: poster_affinity and item_similarity.
--
-- Their weight is 0 unless a profile says otherwise, so that no score changes.

begin;
set local role feed_owner;

-- Defaults come after the columns: functions of the last release have arguments of the row type,
-- and PostgreSQL adds no column with a default under them.
alter table feed.ranking_profiles
add column poster_affinity_weight numeric(6, 5)
constraint poster_affinity_weight_is_not_negative check (poster_affinity_weight >= 0),
add column item_similarity_weight numeric(6, 5)
constraint item_similarity_weight_is_not_negative check (item_similarity_weight >= 0),
add column affinity_half_life interval
constraint affinity_half_life_is_positive check (affinity_half_life > interval '0'),
add column affinity_smoothing double precision
constraint affinity_smoothing_is_positive
check (affinity_smoothing > 0 and affinity_smoothing < 'infinity'),
add column history_half_life interval
constraint history_half_life_is_positive check (history_half_life > interval '0'),
add column history_limit integer
constraint history_limit_is_between_1_and_1000 check (history_limit between 1 and 1000);

alter table feed.ranking_profiles
alter column poster_affinity_weight set default 0,
alter column item_similarity_weight set default 0,
alter column affinity_half_life set default '90 days',
alter column affinity_smoothing set default 1,
alter column history_half_life set default '180 days',
alter column history_limit set default 100;

update feed.ranking_profiles set
    poster_affinity_weight = default,
    item_similarity_weight = default,
    affinity_half_life = default,
    affinity_smoothing = default,
    history_half_life = default,
    history_limit = default;

alter table feed.ranking_profiles
alter column poster_affinity_weight set not null,
alter column item_similarity_weight set not null,
alter column affinity_half_life set not null,
alter column affinity_smoothing set not null,
alter column history_half_life set not null,
alter column history_limit set not null,
drop constraint ranking_weights_sum_to_1,
add constraint ranking_weights_sum_to_1 check (
    location_weight + tag_weight + engagement_weight + recency_weight + poster_weight
    + collaborative_weight + content_weight + poster_affinity_weight + item_similarity_weight = 1
);

comment on table feed.ranking_profiles is
'How the components are weighted, and every parameter that is not global.';
comment on column feed.ranking_profiles.poster_affinity_weight is
'Weight of what the user chose of the same poster before; 0: not even computed for a feed.';
comment on column feed.ranking_profiles.item_similarity_weight is
'Weight of going with what the user chose lately; 0: not even computed for a feed.';
comment on column feed.ranking_profiles.affinity_half_life is
'After this long a choice counts half towards poster_affinity.';
comment on column feed.ranking_profiles.affinity_smoothing is
'The sum of decayed interest at which poster_affinity is one half.';
comment on column feed.ranking_profiles.history_half_life is
'After this long a choice counts half towards item_similarity.';
comment on column feed.ranking_profiles.history_limit is
'How many of the user''s latest choices enter item_similarity.';

comment on column analytics.component_counts.component is 'score, or the name of a component.';

comment on schema api is
'pgfeed: a personalised listing feed

Listings ranked for one user by weighted components, each row with its score, its components
and a reason. Send `Authorization: Bearer TOKEN`; the token''s `sub` is the user.
Every error is JSON with a code, a message that says what is wrong and a hint that says what
to do.';

commit;
