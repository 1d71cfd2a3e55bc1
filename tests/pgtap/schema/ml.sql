-- ml: constraints, and who sees what

begin;
select plan(39);

select tests.user('ann');
select tests.user('bob');
select tests.model();

create function pg_temp.neighbors(nos integer[], similarities real[])
returns text
language sql
return format(
    'insert into ml.user_neighbors (model_id, user_no, neighbor_nos, similarities)'
    ' values (%s, %s, %L, %L)', tests.model(), tests.user_no('ann'), nos, similarities
);

select throws_ok(
    pg_temp.neighbors(array[tests.user_no('ann')], '{1}'), '23514', null,
    'nobody is their own neighbor'
);
select throws_ok(
    pg_temp.neighbors('{1000001}', '{1, 0.5}'), '23514', null, 'each neighbor has a similarity'
);
select
    throws_ok(
        pg_temp.neighbors('{1000001}', array[s.similarity]), '23514', null,
        'a similarity of ' || s.similarity || ' is refused'
    )
from unnest('{0, -0.5, 1.01, NaN}'::real[]) as s (similarity);
select throws_ok(
    pg_temp.neighbors(
        array(select generate_series(1000001, 1000051)), array_fill(1::real, array[51])
    ),
    '23514', null, '51 neighbors are too many'
);
select lives_ok(
    pg_temp.neighbors(
        array(select generate_series(1000001, 1000050)), array_fill(1::real, array[50])
    ),
    '50 neighbors are allowed'
);

select tests.listing('bicycle');

create function pg_temp.listing_neighbors(nos integer[], similarities real[])
returns text
language sql
return format(
    'insert into ml.listing_neighbors (model_id, listing_no, neighbor_nos, similarities)'
    ' values (%s, %s, %L, %L)', tests.model(), tests.listing_no('bicycle'), nos, similarities
);

select throws_ok(
    pg_temp.listing_neighbors(array[tests.listing_no('bicycle')], '{1}'), '23514', null,
    'no listing is its own neighbor'
);
select throws_ok(
    pg_temp.listing_neighbors('{1000001}', '{1, 0.5}'), '23514', null,
    'each neighbor of a listing has a similarity'
);
select
    throws_ok(
        pg_temp.listing_neighbors('{1000001}', array[s.similarity]), '23514', null,
        'a similarity of listings of ' || s.similarity || ' is refused'
    )
from unnest('{0, 1.01, NaN}'::real[]) as s (similarity);
select throws_ok(
    pg_temp.listing_neighbors(
        array(select generate_series(1000001, 1000201)), array_fill(1::real, array[201])
    ),
    '23514', null, '201 neighbors of a listing are too many'
);
select lives_ok(
    pg_temp.listing_neighbors(
        array(select generate_series(1000001, 1000200)), array_fill(1::real, array[200])
    ),
    '200 neighbors of a listing are allowed'
);

select
    throws_ok(
        format('update ml.training_parameters set %s', p.setting), '23514', null,
        p.setting || ' is refused'
    )
from unnest(array[
        'listing_neighbor_count = 201', 'listing_neighbor_user_minimum = 0',
        'listing_popularity_power = 1.1', 'listing_popularity_power = -0.1',
        'listing_history_limit = 1'
    ]) as p (setting);

select
    throws_ok(
        format(
            'insert into ml.user_vectors (model_id, user_no, tag_preference, activity_level,'
            ' feature_vector) values (%s, %s, ''{}'', 1, %L)',
            tests.model(), tests.user_no('ann'), v.vector
        ),
        '23514', null, 'a vector with ' || v.vector || ' is refused'
    )
from unnest(array['{2}', '{NaN}', '{-Infinity}']) as v (vector);

select throws_ok(
    'insert into ml.training_parameters default values', '23505', null,
    'training_parameters has one row'
);
select throws_ok(
    'insert into ml.current_model default values', '23505', null, 'current_model has one row'
);
select throws_ok(
    'update ml.training_parameters set neighbor_count = 51', '23514', null,
    'no more than 50 neighbors may be asked for'
);

select
    throws_ok(
        format('update ml.training_parameters set %s', s.setting), '23514', null,
        s.setting || ' is refused'
    )
from
    unnest(array[
        'listing_user_limit = 1', 'user_pair_minimum = 0', 'user_pair_minimum = 1001',
        'update_user_limit = 0', 'update_user_limit = 100001',
        'update_growth = 1', 'update_growth = ''NaN''', 'update_growth = ''Infinity'''
    ]) as s (setting);

select results_eq(
    'select listing_user_limit, user_pair_minimum from ml.training_parameters',
    'values (null::integer, 1::smallint)',
    'as it comes nothing is left out of the similarity of users'
);

select
    ok(
        not has_table_privilege(r.role, 'ml.user_vectors', 'select')
        and not has_table_privilege(r.role, 'ml.user_neighbors', 'select')
        and not has_table_privilege(r.role, 'ml.listing_neighbors', 'select'),
        r.role || ' sees nobody''s vectors or neighbors'
    )
from unnest(array['anon', 'authenticated', 'service_role', 'feed_analyst']) as r (role);

select finish();
rollback;
