-- feed.tg_user_interactions__refuse: the log is written once

begin;
select plan(6);

select tests.user('ann');
select tests.listing('bicycle');
select tests.interaction('ann', 'bicycle', 'view', '2026-06-01 10:00Z');

select is_refused(c.query, '23001', 'user_interactions is refused', c.description)
from
    (
        values
        (
            $$update feed.user_interactions set type = 'save'$$,
            'no row of the log is changed'
        ),
        (
            $$update feed.user_interactions set metadata = '{}' where false$$,
            'not even none'
        ),
        (
            $$truncate feed.user_interactions$$, 'the log is not truncated'
        )
    ) as c (query, description);

select is(tests.counters('bicycle'), '1 view', 'the counters stand');

-- whoever owns the tables is refused, too
select tests.act_as_owner();

select is_refused(
    $$update feed.user_interactions set type = 'save'$$,
    '23001',
    'update of feed.user_interactions is refused',
    'the owner is refused, too'
);
select is_refused(
    $$truncate feed.user_interactions$$,
    '23001',
    'truncate of feed.user_interactions is refused',
    'for either'
);

select finish();
rollback;
