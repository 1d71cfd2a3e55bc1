-- feed.dedup_hour: within what an interaction counts once

begin;
select plan(9);

set local timezone = 'Asia/Kathmandu';

select
    is(
        feed.dedup_hour(c.type::feed.interaction_type, '2026-03-01 10:59:59.999999Z'),
        '2026-03-01 10:00:00Z'::timestamptz,
        'a ' || c.type || ' counts within its UTC hour, wherever the session is'
    )
from (values ('view'), ('click'), ('share')) as c (type);

select
    is(
        feed.dedup_hour(c.type::feed.interaction_type, '2026-03-01 10:59:59.999999Z'),
        '-infinity'::timestamptz,
        c.type || ' counts once ever'
    )
from (values ('apply'), ('save'), ('dismiss')) as c (type);

select is(
    feed.dedup_hour('view', '2026-03-01 11:00:00Z'),
    '2026-03-01 11:00:00Z'::timestamptz,
    'the full hour belongs to the hour that begins'
);
select is(
    feed.dedup_hour('view', '2026-12-31 23:30:00Z'),
    '2026-12-31 23:00:00Z'::timestamptz,
    'the last hour of a year is an hour'
);
select isnt(
    feed.dedup_hour('view', '2026-03-01 10:30:00Z'),
    feed.dedup_hour('view', '2026-03-02 10:30:00Z'),
    'the same hour of another day is another hour'
);

select finish();
rollback;
