-- service_role: all that a user may, for any user, and the upserts.

begin;
select plan(7);

select tests.user('ann');
select tests.listing('bicycle', poster => 'pat');
select tests.interaction('ann', 'bicycle', 'save');
select tests.act_as_service();

select lives_ok(
    $$update api.listings set title = 'a bicycle' where listing_id = tests.listing_id('bicycle')$$,
    'it changes any poster''s listing'
);
select is_empty('select from api.preferences', 'it is no user: it has no preferences');
select is_empty('select from api.my_listings', 'nor listings');
select is_empty('select from api.my_interactions', 'nor interactions');
select throws_ok(c.query, '42501', null, c.description)
from
    (
        values
        ('delete from feed.users', 'it deletes no user'),
        ('delete from feed.user_interactions', 'nor the log'),
        ('select from feed.interaction_keys', 'it sees no keys')
    ) as c (query, description);

select finish();
rollback;
