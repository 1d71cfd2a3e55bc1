-- ml: who may call what (what training does is tested in tests/py/test_training.py)

begin;
select plan(25);

select
    ok(
        not has_function_privilege(r.role, f.name, 'execute'),
        r.role || ' may not call ' || f.name
    )
from
    unnest(
        array[
            'ml.train(timestamptz, bigint, jsonb)', 'ml.write_listing_vectors(integer[])',
            'ml.project_listings(integer, integer[])', 'ml.forget_user(integer[])',
            'ml.copy_rows(text, bytea)', 'ml.model_for_writing()'
        ]
    ) as f (name)
cross join
    unnest(array['anon', 'authenticated', 'service_role', 'feed_analyst']) as r (role);

select ok(
    has_function_privilege('feed_worker', 'ml.train(timestamptz, bigint, jsonb)', 'execute'),
    'the worker may train'
);

select finish();
rollback;
