-- feed.ticket_facts: what a ticket says, read again

begin;
select plan(28);

select results_eq(
    $$
    select listing_id, rank, score, issued_at, profile_name, key_no, body, signature
    from feed.ticket_facts(
        '7.0f16cf0b503b45d9a699416cf95c11e1.12.430123456.1795564800000001.default.'
        'abcdefghijklmnopqrs_-A'
    )
    $$,
    $$
    values (
        '0f16cf0b-503b-45d9-a699-416cf95c11e1'::uuid,
        12,
        0.430123456::double precision,
        '2026-11-25 00:00:00.000001Z'::timestamptz,
        'default',
        7,
        '7.0f16cf0b503b45d9a699416cf95c11e1.12.430123456.1795564800000001.default',
        'abcdefghijklmnopqrs_-A'
    )
    $$,
    'what was written is read'
);
select results_eq(
    $$
    select listing_id, profile_name, body, signature, components
    from feed.ticket_facts(
        '7.0f16cf0b503b45d9a699416cf95c11e1.12.430123456.1795564800000001.default.fffe00007fff.'
        'abcdefghijklmnopqrs_-A'
    )
    $$,
    $$
    values (
        '0f16cf0b-503b-45d9-a699-416cf95c11e1'::uuid,
        'default',
        '7.0f16cf0b503b45d9a699416cf95c11e1.12.430123456.1795564800000001.default.fffe00007fff',
        'abcdefghijklmnopqrs_-A',
        '{1,0,0.5}'::real[]
    )
    $$,
    'with components too'
);
select results_eq(
    $$
    select f.components is null
    from feed.ticket_facts(
        '7.0f16cf0b503b45d9a699416cf95c11e1.12.430123456.1795564800000001.default.'
        'abcdefghijklmnopqrs_-A'
    ) as f
    $$,
    'values (true)',
    'a ticket of before they were in it has none'
);
select is_empty(format('select * from feed.ticket_facts(%L)', c.ticket), c.description)
from
    (
        select
            '7.0f16cf0b503b45d9a699416cf95c11e1.12.430.17.default.' || b.codes
            || '.abcdefghijklmnopqrs_-A' as ticket,
            b.description
        from
            (
                values
                ('', 'components of no characters'),
                ('fff', 'a component of three'),
                ('fffe0', 'one and a quarter'),
                ('FFFE', 'capitals in the components'),
                ('fffg', 'a letter that is no digit'),
                (repeat('0', 132), 'more than 32 components'),
                ('0000.0000', 'two of them'),
                ('-001', 'a negative one')
            ) as b (codes, description)
    ) as c;
select lives_ok(
    $$
    select * from feed.ticket_facts(
        '999999999.ffffffffffffffffffffffffffffffff.999999999.9999999999.9999999999999999.'
        || repeat('a', 63) || '.AAAAAAAAAAAAAAAAAAAAAA'
    )
    $$,
    'the greatest numbers of the form are numbers'
);
select is_empty(format('select * from feed.ticket_facts(%L)', c.ticket), c.description)
from
    (
        select
            replace(
                '7.0f16cf0b503b45d9a699416cf95c11e1.12.430.17.default.abcdefghijklmnopqrs_-A',
                b.what,
                b.instead
            ) as ticket,
            b.description
        from
            (
                values
                ('7.0f', '.0f', 'no key'),
                ('7.0f', '-7.0f', 'a key below 0'),
                ('7.0f', '7777777777.0f', 'a key too large'),
                ('e1.', 'e.', 'no listing'),
                ('0f16', '0F16', 'capitals in the listing'),
                ('.12.', '.1234567890.', 'a position too large'),
                ('.430.', '.0.43.', 'a score with a point'),
                ('.430.', '.12345678901.', 'a score too large'),
                ('.17.', '.12345678901234567.', 'a time too large'),
                ('default', 'De fault', 'a profile that can be none'),
                ('default', 'a''; drop', 'nor can this'),
                ('rs_', 'r_', 'a signature too short'),
                ('rs_', 'r+_', 'a signature in other letters'),
                ('-A', E'-A\n', 'a line break after it')
            ) as b (what, instead, description)
    ) as c;
select is_empty('select from feed.ticket_facts(null)', 'null');
select is_empty('select from feed.ticket_facts('''')', 'nothing');

select finish();
rollback;
