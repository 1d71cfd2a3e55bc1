-- service_role: all that a user may, for any user, and the upserts.

begin;
select plan(11);

select results_eq(
    $$
    select * from tests.functions_of('service_role')
    except
    select * from tests.functions_of('authenticated')
    order by 1
    $$,
    $$values ('api.upsert_listings'), ('api.upsert_posters'), ('api.upsert_users')$$,
    'it may call the upserts beside what a user may'
);
select is_empty(
    $$
    select * from tests.functions_of('authenticated')
    except
    select * from tests.functions_of('service_role')
    $$,
    'and all that a user may'
);
select results_eq(
    $$select tests.rights_of('service_role')$$,
    $$select tests.rights_of('authenticated')$$,
    'its rights on relations are a user''s, for all rows'
);
select ok(
    (
        select r.rolbypassrls from pg_roles as r
        where r.rolname = 'service_role'
    ),
    'since policies do not bind it'
);

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
