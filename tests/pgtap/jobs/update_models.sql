-- jobs.update_models: when it runs (what it does is tested in tests/py/test_update_models.py)

begin;
select plan(2);

select results_eq(
    $$select schedule, command, target from jobs.schedules where job = 'update_models'$$,
    $$values ('*/15 * * * *', 'call jobs.update_models()', interval '1 minute')$$,
    'it runs every 15 minutes'
);
select ok(
    not has_function_privilege('authenticated', 'jobs.update_models()', 'execute'),
    'a user may not start it'
);

select finish();
rollback;
