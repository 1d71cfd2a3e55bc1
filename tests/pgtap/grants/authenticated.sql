-- authenticated: what a user may do, and what not.

begin;
select plan(21);

select results_eq(
    $$select tests.schemas_of('authenticated')$$,
    $$values ('api'), ('feed'), ('identity')$$,
    'it may use three schemas'
);
select results_eq(
    $$select tests.functions_of('authenticated')$$,
    $$
    values
    ('api.delete_my_data'), ('api.explain_listing'), ('api.export_my_data'), ('api.get_feed'),
    ('api.retract_interaction'), ('api.track_impressions'), ('api.track_interaction'),
    ('api.track_interactions'), ('feed.ensure_poster'), ('feed.ensure_user'), ('feed.make_point'),
    ('feed.normalized_tags'), ('feed.one_line'), ('feed.write_preferences'),
    ('identity.caller_role'), ('identity.check_request'), ('identity.claims'),
    ('identity.user_uid')
    $$,
    'it may call the api but for the upserts, and what the views'' triggers call'
);
select results_eq(
    $$select tests.rights_of('authenticated')$$,
    $$
    values
    ('api.listings: select, insert, update'),
    ('api.my_interactions: select'),
    ('api.my_listings: select'),
    ('api.preferences: select, update'),
    ('api.trending: select'),
    (
        'feed.listings: select (listing_id listing_no poster_uid external_id title description url '
        'image_url attributes tags location compensation currency status created_at expires_at), '
        'insert (listing_id poster_uid external_id title description url image_url attributes '
        'tags location compensation currency status expires_at), update (external_id title '
        'description url image_url attributes tags location compensation currency status '
        'expires_at)'
    ),
    ('feed.trending_listings: select'),
    ('feed.user_feed_preferences: select, insert, update'),
    ('feed.user_interactions: select'),
    ('feed.user_listing_states: select'),
    ('feed.users: select, insert (user_uid), update (location)')
    $$,
    'it may read and write what the views need, and delete nothing'
);

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
        ('select from feed.ticket_keys', 'nor what tickets are signed with'),
        ('select from feed.data_lifetimes', 'nor how long things are kept'),
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
