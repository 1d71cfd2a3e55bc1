-- Fails while a profile weighs one of the two: its weights have to be chosen anew first.
--
-- Replaceable code that needed this goes along; bin/apply-code puts it back.

begin;
set local role feed_owner;

alter table feed.ranking_profiles
drop constraint ranking_weights_sum_to_1,
drop column poster_affinity_weight cascade,
drop column item_similarity_weight cascade,
drop column affinity_half_life cascade,
drop column affinity_smoothing cascade,
drop column history_half_life cascade,
drop column history_limit cascade,
add constraint ranking_weights_sum_to_1 check (
    location_weight + tag_weight + engagement_weight + recency_weight + poster_weight
    + collaborative_weight + content_weight = 1
);

comment on table feed.ranking_profiles is
'How the seven components are weighted, and every parameter that is not global.';
comment on column analytics.component_counts.component is 'score, or one of the seven components.';
comment on schema api is
'pgfeed: a personalised listing feed

Listings ranked for one user by seven weighted components, each row with its score, its
components and a reason. Send `Authorization: Bearer TOKEN`; the token''s `sub` is the user.
Every error is JSON with a code, a message that says what is wrong and a hint that says what
to do.';

reset role;
update ops.source_files set sha256 = repeat('0', 64);

commit;
