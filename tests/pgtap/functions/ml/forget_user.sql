-- ml.forget_user: out of every model, as oneself and as a neighbor

begin;
select plan(7);

select tests.user(name)
from unnest(array['ann', 'bob', 'cid', 'dot']) as name;

select tests.neighbors('ann', array['bob', 'cid', 'dot'], array[0.9, 0.8, 0.7]);
select tests.neighbors('bob', array['ann'], array[0.9]);
select tests.neighbors('cid', array['dot', 'ann'], array[0.8, 0.6]);
select tests.user_vector('ann', array[1]);
select tests.user_vector('bob', array[1]);

select ml.forget_user(tests.user_no('bob'));

select results_eq(
    'select neighbor_nos from ml.user_neighbors where user_no = tests.user_no(''ann'')',
    'select array[tests.user_no(''cid''), tests.user_no(''dot'')]',
    'who is forgotten leaves the lists of others, whose order stays'
);
select results_eq(
    'select similarities from ml.user_neighbors where user_no = tests.user_no(''ann'')',
    'select array[0.8, 0.7]::real[]',
    'their similarity goes along'
);
select is_empty(
    'select user_no from ml.user_neighbors where user_no = tests.user_no(''bob'')',
    'they have no neighbors any more'
);
select is_empty(
    'select user_no from ml.user_vectors where user_no = tests.user_no(''bob'')',
    'they have no vector any more'
);
select isnt_empty(
    'select user_no from ml.user_vectors where user_no = tests.user_no(''ann'')',
    'nobody else loses theirs'
);

select ml.forget_user(tests.user_no('ann'), tests.user_no('dot'));

select results_eq(
    'select neighbor_nos from ml.user_neighbors where user_no = tests.user_no(''cid'')',
    'select ''{}''::integer[]',
    'several are forgotten at once; a list may be empty'
);

select lives_ok('select ml.forget_user(-1)', 'to forget somebody unknown does nothing');

select finish();
rollback;
