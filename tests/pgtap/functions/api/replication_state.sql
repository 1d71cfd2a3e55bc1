-- api.replication_state: where a primary stands; standbys are in tests/py/test_replicas.py

begin;
select plan(7);

select tests.act_as_service();

select is(
    (
        select array_agg(k.key order by k.key)
        from jsonb_object_keys(api.replication_state()) as k (key)
    ),
    '{is_primary, position, timeline}'::text[],
    'it tells these'
);
select is(api.replication_state() -> 'is_primary', 'true'::jsonb, 'this is a primary');

select tests.act_as_owner();

create temporary table states as select pg_current_wal_flush_lsn() - '0/0' as least;

select cmp_ok(
    (api.replication_state() ->> 'position')::numeric,
    '>=',
    (select s.least from states as s),
    'its position is that of WAL on the disk'
);
select is(
    (api.replication_state() ->> 'timeline')::integer,
    (select c.timeline_id from pg_control_checkpoint() as c),
    'its timeline is the cluster''s'
);
select is(ops.received_timeline(), null, 'a primary receives nothing');

select tests.act_as('ann');
select throws_ok('select api.replication_state()', '42501', null, 'a user may not ask');

select tests.act_as_owner();
grant execute on function api.replication_state() to authenticated;
select tests.act_as('ann');
select throws_ok('select api.replication_state()', 'PT403', null, 'nor with the right to call it');

select finish();
rollback;
