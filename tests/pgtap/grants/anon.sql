-- anon: a request without a token reads listings, and that is all.

begin;
select plan(14);

select results_eq(
    $$select tests.schemas_of('anon')$$,
    $$values ('api'), ('feed'), ('identity')$$,
    'it may use three schemas'
);
select results_eq(
    $$select tests.functions_of('anon')$$,
    $$
    values
    ('identity.caller_role'), ('identity.check_request'), ('identity.claims'),
    ('identity.user_uid')
    $$,
    'it may ask who it is, and call nothing else'
);
select results_eq(
    $$select tests.rights_of('anon')$$,
    $$
    values
    ('api.listings: select'),
    ('api.trending: select'),
    (
        'feed.listings: select (listing_id listing_no poster_uid external_id title description url '
        'image_url attributes tags location compensation currency status created_at expires_at)'
    ),
    ('feed.trending_listings: select')
    $$,
    'it may read listings and what trends'
);

select tests.user('ann');
select tests.listing('bicycle', poster => 'pat');
select tests.listing('closed', status => 'closed');
select tests.act_as_nobody();

select results_eq(
    'select title from api.listings order by title',
    $$values ('bicycle'), ('closed')$$,
    'it sees every listing'
);
select lives_ok('select from api.trending', 'it reads what trends');
select throws_ok(c.query, '42501', null, c.description)
from
    (
        values
        ($$insert into api.listings (title) values ('mine')$$, 'it posts nothing'),
        ($$update api.listings set title = 'mine'$$, 'it changes nothing'),
        ('delete from api.listings', 'it deletes nothing'),
        ('select from api.preferences', 'it has no preferences'),
        ('select from api.my_listings', 'it has no listings of its own'),
        ('select from api.my_interactions', 'it has no interactions'),
        ('select from feed.users', 'it sees no user'),
        ('select from feed.posters', 'it sees no poster'),
        ('select from analytics.job_health', 'it is no analyst')
    ) as c (query, description);

select finish();
rollback;
