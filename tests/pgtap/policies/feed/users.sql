-- Rows that are somebody's: each user sees and writes their own, and no other's.

begin;
select plan(24);

select tests.user('ann', lat => 47, lon => 8, max_distance => 10);
select tests.user('bob', lat => 46, lon => 7, max_distance => 20);
select tests.listing('bicycle', poster => 'ann');
select tests.listing('kayak', poster => 'bob');
select tests.interaction('ann', 'kayak', 'save');
select tests.interaction('bob', 'bicycle', 'save');

select tests.act_as('ann');

select results_eq(
    'select user_uid from feed.users',
    $$values (tests.user_uid('ann'))$$,
    'a user sees their own row'
);
select results_eq(
    'select user_uid from feed.user_feed_preferences',
    $$values (tests.user_uid('ann'))$$,
    'their own preferences'
);
select results_eq(
    'select user_uid from feed.user_interactions',
    $$values (tests.user_uid('ann'))$$,
    'their own interactions'
);
select results_eq(
    'select user_no from feed.user_listing_states',
    $$values (tests.user_no('ann'))$$,
    'their own states'
);
select results_eq(
    'select title from feed.listings order by title',
    $$values ('bicycle'), ('kayak')$$,
    'and every listing'
);
select throws_ok(
    $$insert into feed.users (user_uid) values (tests.user_uid('cid'))$$,
    '42501',
    null,
    'a user makes nobody else known'
);
select throws_ok(
    $$insert into feed.user_feed_preferences (user_uid) values (tests.user_uid('cid'))$$,
    '42501',
    null,
    'nor sets their preferences'
);
select throws_ok(
    $$update feed.user_feed_preferences set user_uid = tests.user_uid('bob')$$,
    '42501',
    null,
    'nor gives them away'
);
select throws_ok(
    $$insert into feed.listings (poster_uid, title) values (tests.user_uid('bob'), 'x')$$,
    '42501',
    null,
    'nor posts in another''s name'
);
select throws_ok(
    $$insert into feed.listings (title) values ('x')$$, '42501', null, 'nor in nobody''s'
);
select lives_ok(
    $$update feed.users set location = null;
    update feed.user_feed_preferences set max_distance = null;
    update feed.listings set title = 'changed'$$,
    'an update reaches'
);

reset role;

select results_eq(
    $$select user_uid from feed.users where location is null$$,
    $$values (tests.user_uid('ann'))$$,
    'their own row only'
);
select results_eq(
    $$select user_uid from feed.user_feed_preferences where max_distance is null$$,
    $$values (tests.user_uid('ann'))$$,
    'their own preferences only'
);
select results_eq(
    $$select listing_id from feed.listings where title = 'changed'$$,
    $$values (tests.listing_id('bicycle'))$$,
    'their own listings only'
);

select tests.act_as('stranger');

select is_empty('select from feed.users', 'somebody new sees no user');
select is_empty('select from feed.user_feed_preferences', 'no preferences');
select is_empty('select from feed.user_interactions', 'no interactions');
select is_empty('select from feed.user_listing_states', 'no states');
select lives_ok(
    $$insert into feed.users (user_uid) values (tests.user_uid('stranger'))$$,
    'but makes themselves known'
);

-- a token without a sub
select tests.act('authenticated', '{"role": "authenticated"}');

select is_empty('select from feed.users', 'nobody sees no user');
select is_empty('select from feed.user_interactions', 'and no interaction');
select throws_ok(
    $$insert into feed.listings (title) values ('x')$$, '42501', null, 'and posts nothing'
);

-- the session's own setting is not a claim of the token's
select tests.act_as('ann');

select is(identity.user_uid(), tests.user_uid('ann'), 'who asks is the token''s sub');
select tests.act('authenticated', 'null');

select is(identity.user_uid(), null, 'and nobody without claims');

select finish();
rollback;
