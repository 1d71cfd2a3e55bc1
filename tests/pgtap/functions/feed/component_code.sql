-- feed.component_code: two bytes a component

begin;
select plan(5);

select is(feed.component_code(0), '0000', 'nothing');
select is(feed.component_code(1), 'fffe', 'all');
select is(feed.component_code(null), 'ffff', 'not computed');

create temporary table written as
select
    n,
    feed.ticket_body(
        1,
        '0f16cf0b-503b-45d9-a699-416cf95c11e1',
        1,
        0.5,
        'default',
        '2026-11-25 00:00Z',
        feed.component_code(n / 1000.0)
        || feed.component_code(null)
        || feed.component_code(1 - n / 1000.0)
        || feed.component_code(1e-9)
    ) || '.abcdefghijklmnopqrs_-A' as ticket,
    array[n / 1000.0, null, 1 - n / 1000.0, 1e-9]::double precision[] as components
from generate_series(0, 1000) as n;

select is_empty(
    $$
    select w.n
    from written as w
    inner join lateral feed.ticket_facts(w.ticket) as f on true
    cross join lateral unnest(f.components, w.components) as c (have, want)
    where abs(c.have - c.want) > 1e-5 or (c.have is null) <> (c.want is null)
    $$,
    'what is read again is what was written, to 1e-5'
);
select is(
    (
        select count(*)
        from written as w
        inner join lateral feed.ticket_facts(w.ticket) as f on true
        where cardinality(f.components) = 4
    ),
    1001::bigint,
    'all of it'
);

select finish();
rollback;
