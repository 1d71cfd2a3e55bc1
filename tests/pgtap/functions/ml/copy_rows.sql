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
    from pg_ls_dir(format('/proc/%s/fd', pg_backend_pid())) as f (name)
    inner join
        lateral pg_stat_file(format('/proc/%s/fd/%s', pg_backend_pid(), f.name), true) as s
        on s.size = octet_length('nonsense')
    $$,
    'the file is closed, whatever came of it'
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
