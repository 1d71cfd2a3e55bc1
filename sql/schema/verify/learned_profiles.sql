begin;

select 1 / count(*) from feed.ranking_profiles
where profile_name = 'default' and evaluation is null and is_offered;

rollback;
