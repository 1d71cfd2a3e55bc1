-- jobs.train_models: when it runs (what it does is tested in tests/py/test_training.py)

begin;
select plan(2);

select results_eq(
    $$select schedule, command, target from jobs.schedules where job = 'train_models'$$,
    $$values ('0 2 * * *', 'call jobs.train_models()', interval '15 minutes')$$,
    'it runs every night at two'
);
select ok(
    not has_function_privilege('authenticated', 'jobs.train_models()', 'execute'),
    'a user may not start it'
);

select finish();
rollback;
