-- anon: a request without a token reads listings, and that is all.
--
-- Every right by the catalogue is in contract/rights.sql; here is what comes of them.

begin;
select plan(11);

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
