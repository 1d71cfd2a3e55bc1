-- authenticated: what a user may do, and what not.

begin;
select plan(16);

select tests.user('ann');
select tests.listing('bicycle', poster => 'ann');
select tests.act_as('ann');

select throws_ok(c.query, '42501', null, c.description)
from
    (
        values
        ($$select api.upsert_users('[]')$$, 'a user makes no users'),
        ($$select api.upsert_posters('[]')$$, 'nor posters'),
        ($$select api.upsert_listings('[]')$$, 'nor batches of listings'),
        (
            $$insert into feed.user_interactions (user_uid, listing_id, type)
            values (tests.user_uid('ann'), tests.listing_id('bicycle'), 'apply')$$,
            'a user writes no log by themselves'
        ),
        ('delete from feed.user_interactions', 'nor deletes from it'),
        ('update feed.user_listing_states set view_count = 0', 'nor changes a state'),
        ('select from feed.interaction_keys', 'a user sees no keys'),
        ('select from feed.engagement_metrics', 'nor counters'),
        ('select from feed.posters', 'nor posters'' counts'),
        ('select from feed.ranking_profiles', 'nor how profiles are weighted'),
        ('select from feed.feed_impressions', 'nor impressions'),
        ('select from ml.user_vectors', 'nor what was learned'),
        ('select from jobs.runs', 'nor the jobs'),
        (
            $$update feed.listings set created_at = now()$$,
            'a user does not renew a listing'
        ),
        (
            $$update feed.listings set poster_uid = null$$,
            'nor hand it on'
        ),
        ('delete from api.listings', 'nor delete it')
    ) as c (query, description);

select finish();
rollback;
