-- api.my_listings, api.my_interactions: what the caller did

begin;
select plan(14);

select tests.user('ann');
select tests.user('bob');
select tests.listing(n)
from unnest(array['saved', 'applied', 'dismissed', 'viewed', 'untouched', 'all']) as n;
select tests.interaction('ann', 'saved', 'save', '2026-06-01 10:00Z', 'saved');
select tests.interaction('ann', 'applied', 'apply', '2026-06-01 11:00Z');
select tests.interaction('ann', 'dismissed', 'dismiss', '2026-06-01 12:00Z', 'dismissed');
select tests.interaction(
    'ann', 'viewed', 'view', '2026-06-01 13:00Z', metadata => '{"seconds": 4}'
);
select tests.interaction('ann', 'all', 'save', '2026-06-01 14:00Z');
select tests.interaction('ann', 'all', 'save', '2026-06-01 15:00Z');
select tests.interaction('ann', 'all', 'apply', '2026-06-01 16:00Z');
select tests.interaction('ann', 'all', 'view', '2026-06-01 17:00Z');
select tests.interaction('bob', 'viewed', 'save', '2026-06-01 18:00Z');

select tests.act_as('ann');

select results_eq(
    $$
    select title, saved_at, applied_at, dismissed_at, last_at
    from api.my_listings
    order by last_at
    $$,
    $$
    values
    ('saved', '2026-06-01 10:00Z'::timestamptz, null::timestamptz, null::timestamptz,
        '2026-06-01 10:00Z'::timestamptz),
    ('applied', null, '2026-06-01 11:00Z', null, '2026-06-01 11:00Z'),
    ('dismissed', null, null, '2026-06-01 12:00Z', '2026-06-01 12:00Z'),
    ('all', '2026-06-01 14:00Z', '2026-06-01 16:00Z', null, '2026-06-01 17:00Z')
    $$,
    'what I saved, applied to and dismissed is there, with the first time of each'
);
select is_empty(
    $$select from api.my_listings where title in ('viewed', 'untouched')$$,
    'what I only looked at is not, though another saved it'
);
select results_eq(
    $$select title, status::text, tags from api.my_listings where title = 'saved'$$,
    $$values ('saved', 'open', '{}'::text[])$$,
    'with the listing itself'
);
select results_eq(
    $$
    select l.title, i.type::text, i.metadata, i.timestamp
    from api.my_interactions as i
    inner join api.listings as l using (listing_id)
    where l.title = 'viewed'
    $$,
    $$values ('viewed', 'view', '{"seconds": 4}'::jsonb, '2026-06-01 13:00Z'::timestamptz)$$,
    'my interactions are there, as they were'
);
select is((select count(*) from api.my_interactions), 8::bigint, 'all of them');
select is(
    (
        select i.event_id from api.my_interactions as i
        where i.type = 'dismiss'
    ),
    tests.event_id('dismissed'),
    'with the event_id that retracts them'
);

select api.retract_interaction(tests.event_id('saved'));

select is_empty(
    $$select from api.my_listings where title = 'saved'$$, 'what I retract is gone'
);

reset role;
update feed.listings
set status = 'closed'
where title = 'applied';
select tests.act_as('ann');

select is(
    (
        select l.status::text from api.my_listings as l
        where l.title = 'applied'
    ),
    'closed',
    'what is closed stays, and says so'
);

select throws_ok('delete from api.my_listings', null, null, 'nothing is deleted here');
select throws_ok(
    'update api.my_interactions set listing_id = null', null, null, 'nor changed'
);

select tests.act_as('bob');
select results_eq(
    'select title from api.my_listings', $$values ('viewed')$$, 'another sees theirs'
);
select is((select count(*) from api.my_interactions), 1::bigint, 'and their interactions');

select tests.act('authenticated', '{"role": "authenticated"}');
select is_empty('select from api.my_listings', 'nobody sees nothing');
select is_empty('select from api.my_interactions', 'of either');

select finish();
rollback;
