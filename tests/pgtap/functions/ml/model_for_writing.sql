-- ml.model_for_writing: the model in force, held in force

begin;
select plan(3);

select is(ml.model_for_writing(), null, 'before the first training there is no model');
select is(
    (
        select count(*)
        from pg_catalog.pg_locks as l
        where
            l.pid = pg_backend_pid()
            and l.locktype = 'advisory'
            and l.mode = 'ShareLock'
            and (l.classid::bigint << 32) | l.objid::bigint = ml.publish_lock_key()
    ),
    1::bigint,
    'publishing waits for whoever asked, to the end of their transaction'
);

select tests.model();

select is(ml.model_for_writing(), tests.model(), 'then it is the one that the pointer names');

select finish();
rollback;
