-- feed.try_timestamptz: ISO 8601 with a zone, or null

begin;
select plan(16);

set local timezone = 'Asia/Kathmandu';
set local datestyle = 'German, DMY';

select
    is(
        feed.try_timestamptz(c.value),
        timestamptz '2026-01-31T12:00:00Z',
        '"' || c.value || '" is a time'
    )
from (
    values
    ('2026-01-31T12:00:00Z'),
    ('2026-01-31 12:00Z'),
    ('2026-01-31T12:00:00.000z'),
    ('2026-01-31T13:00:00+01:00'),
    ('2026-01-31T13:00:00+01'),
    ('2026-01-31T17:45:00+0545')
) as c (value);

select is(feed.try_timestamptz(c.value), null, '"' || c.value || '" is none')
from (
    values
    ('tomorrow'),
    ('now'),
    ('infinity'),
    ('2026-01-31'),
    ('2026-01-31T12:00:00'),
    ('2026-02-30T12:00:00Z'),
    ('2026-01-31T25:00:00Z'),
    ('31.01.2026 12:00Z'),
    ('')
) as c (value);

select is(feed.try_timestamptz(null), null, 'null is none');

select finish();
rollback;
