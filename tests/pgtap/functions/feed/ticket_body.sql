-- feed.ticket_body: what a ticket says

begin;
select plan(4);

select is(
    feed.ticket_body(
        7,
        '0f16cf0b-503b-45d9-a699-416cf95c11e1',
        12,
        0.4301234564,
        'default',
        '2026-11-25 00:00:00.000001Z'
    ),
    '7.0f16cf0b503b45d9a699416cf95c11e1.12.430123456.1795564800000001.default',
    'key, listing, position, score, time and profile'
);
select is(
    feed.ticket_body(
        7,
        '0f16cf0b-503b-45d9-a699-416cf95c11e1',
        12,
        0.4301234564,
        'default',
        '2026-11-25 00:00:00.000001Z',
        'fffe0000'
    ),
    '7.0f16cf0b503b45d9a699416cf95c11e1.12.430123456.1795564800000001.default.fffe0000',
    'and components, if there are any'
);
select is(
    feed.ticket_body(
        1, '0f16cf0b-503b-45d9-a699-416cf95c11e1', 1, 1, 'a_b-c', '1970-01-01 00:00:00Z'
    ),
    '1.0f16cf0b503b45d9a699416cf95c11e1.1.1000000000.0.a_b-c',
    'the greatest score and the least time'
);

set local timezone = 'Pacific/Kiritimati';

select matches(
    feed.ticket_body(
        1, '0f16cf0b-503b-45d9-a699-416cf95c11e1', 1, 0.5, 'default', '1970-01-02 00:00:00Z'
    ),
    '\.86400000000\.',
    'wherever the session is'
);

select finish();
rollback;
