-- feed.ensure_user, feed.ensure_poster: known once

begin;
select plan(10);

create temporary table numbers (user_no integer);
grant all on numbers to public;

select tests.act_as('ann');
select feed.ensure_user(tests.user_uid('ann'));

select isnt(tests.user_no('ann'), null, 'a user becomes known');

insert into numbers
values (tests.user_no('ann'));
select feed.ensure_user(tests.user_uid('ann'))
from generate_series(1, 10) as n;

select is(
    tests.user_no('ann'), (select n.user_no from numbers as n), 'again changes nothing'
);

reset role;
select tests.user('next');

select is(
    tests.user_no('next'),
    (select n.user_no + 1 from numbers as n),
    'and uses up no number'
);

select tests.act_as('bob');
select feed.ensure_poster(tests.user_uid('bob'));
select feed.ensure_poster(tests.user_uid('bob'));

reset role;

select results_eq(
    'select poster_uid, rating_count, accepted_count, completed_count from feed.posters',
    $$values (tests.user_uid('bob'), 0, 0, 0)$$,
    'a poster becomes known, as a user too, once'
);

select tests.act_as('bob');

select is_refused(
    $$select feed.ensure_poster(tests.user_uid('ann'))$$,
    'PT403',
    'as themselves only',
    'a user makes nobody else a poster'
);
select is_refused(
    $$select feed.ensure_poster(null)$$, 'PT403', 'as themselves only', 'nor nobody'
);
select throws_ok(
    $$select feed.ensure_user(tests.user_uid('cid'))$$,
    '42501',
    null,
    'a user makes nobody else known'
);

-- definer, so the caller is asked about even where the role is another's
select tests.act('authenticated', '{"role": "service_role", "sub": "nobody"}');

select is_refused(
    $$select feed.ensure_poster(tests.user_uid('ann'))$$,
    'PT403',
    'as themselves only',
    'a claim does not make service_role: the role does'
);

select tests.act_as_service();

select lives_ok(
    $$select feed.ensure_poster(tests.user_uid('ann'))$$, 'service_role makes anybody a poster'
);

reset role;

select is((select count(*) from feed.posters), 2::bigint, 'as many as were made');

select finish();
rollback;
