-- Learned ranking profiles: what they were fitted on, and whether they may be used.

begin;
set local role feed_owner;

-- Without defaults: PostgreSQL refuses those where a function takes the table's row type.
alter table feed.ranking_profiles
add column evaluation jsonb
constraint evaluation_is_an_object check (jsonb_typeof(evaluation) = 'object'),
add column is_offered boolean;

update feed.ranking_profiles set is_offered = true;

alter table feed.ranking_profiles
alter column is_offered set default true,
alter column is_offered set not null,
add constraint default_is_made_by_hand check (profile_name <> 'default' or evaluation is null),
add constraint default_is_offered check (profile_name <> 'default' or is_offered);

comment on column feed.ranking_profiles.evaluation is
'Of a learned profile: what it was fitted on and how it did against default on later data, with
95 % intervals; null for one made by hand. docs/analysts/learned-profiles.md has its keys.';
comment on column feed.ranking_profiles.is_offered is
'May be asked for. Fitting says so of a profile that was above default on later data by more than
the interval; set it by hand to decide otherwise.';

commit;
