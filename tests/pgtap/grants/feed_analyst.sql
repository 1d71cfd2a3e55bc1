-- feed_analyst: reads analytics, nothing else.

begin;
select plan(13);

select tests.user('ann', lat => 47, lon => 8);
select tests.listing('bicycle', poster => 'pat');
select tests.interaction('ann', 'bicycle', 'save');
select tests.act_as_analyst();

select results_eq(
    'select title, save_count from analytics.listing_engagement',
    $$values ('bicycle', 1)$$,
    'it sees what happens with listings'
);
select lives_ok('select from analytics.trending_listings', 'it sees what trends');
select results_eq(
    'select job from analytics.job_health order by job',
    $$
    values ('fit_profile'), ('keep_house'), ('refresh_analytics'), ('refresh_engagement'),
    ('refresh_trending'), ('train_models'), ('update_models')
    $$,
    'it sees how the jobs fare'
);
select is_empty(
    $$
    select c.oid::regclass, a.attname
    from pg_class as c
    inner join pg_attribute as a on c.oid = a.attrelid
    where
        c.relnamespace = 'analytics'::regnamespace
        and a.attname in ('user_uid', 'user_no', 'location', 'lat', 'lon', 'event_id')
    $$,
    'nothing of a user is in analytics'
);
select throws_ok(c.query, '42501', null, c.description)
from
    (
        values
        ('select from feed.users', 'it sees no user'),
        ('select from feed.user_interactions', 'nor what they did'),
        ('select from feed.user_listing_states', 'nor the matrix'),
        ('select from ml.user_vectors', 'nor what was learned of them'),
        ('select from api.listings', 'it is no client'),
        ('select api.get_feed()', 'it has no feed'),
        ('call jobs.refresh_engagement()', 'it runs no job'),
        ('select from analytics.feed_counts', 'it reads views, not what they stand on'),
        ('select analytics.refresh_days(current_date, current_date)', 'and counts nothing')
    ) as c (query, description);

select finish();
rollback;
