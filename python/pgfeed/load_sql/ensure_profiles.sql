-- The ranking profile of a part of the synthetic feeds: the same, but nearness counts for more.

insert into feed.ranking_profiles (
    profile_name, location_weight, engagement_weight, poster_weight
)
select 'nearby', 0.35, 0.10, 0.05
where exists (select from staged_impressions as s where s.profile_number = 2)
on conflict do nothing;
