-- ml.copy_rows: a definer function of the superuser, so only what training needs

begin;
select plan(6);

select throws_like(
    $$select ml.copy_rows('models', '\x')$$, '%KeyError%',
    'it loads the tables of training and no other'
);
select throws_like(
    $$select ml.copy_rows('user_vectors from program ''true'' --', '\x')$$, '%KeyError%',
    'the name of a table is no way to another statement'
);
select throws_like(
    $$select ml.copy_rows('user_vectors', 'nonsense')$$, '%signature%',
    'a file that is none is refused'
);
select is_empty(
    $$
    select f.name
    from pg_ls_dir('base/pgsql_tmp', true, false) as f (name)
    where f.name like '%pgfeed'
    $$,
    'no file stays behind'
);

select function_privs_are(
    'ml', 'copy_rows', array['text', 'bytea'], 'feed_owner', array['EXECUTE'],
    'the owner may call it'
);
select
    function_privs_are(
        'ml',
        'copy_rows',
        array['text', 'bytea'],
        r.role,
        '{}'::text[],
        r.role || ' may not call it'
    )
from unnest(array['authenticator']) as r (role);

select finish();
rollback;
