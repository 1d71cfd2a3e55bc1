-- feed.user_similarity_matrix: the packed neighbors, one row a pair

begin;
select plan(3);

select is_empty('select * from feed.user_similarity_matrix', 'before a training it is empty');

select tests.user(name)
from unnest(array['ann', 'bob', 'cid']) as name;
select tests.neighbors('ann', array['bob', 'cid'], array[0.75, 0.5]);

select results_eq(
    $$
    select user_a_uid, user_b_uid, similarity
    from feed.user_similarity_matrix
    order by similarity desc
    $$,
    $$
    values
        (tests.user_uid('ann'), tests.user_uid('bob'), 0.75::real),
        (tests.user_uid('ann'), tests.user_uid('cid'), 0.5::real)
    $$,
    'each neighbor is a row'
);

update ml.current_model
set
    model_id = null,
    published_at = null;

select is_empty(
    'select * from feed.user_similarity_matrix', 'a model that is not in force is not shown'
);

select finish();
rollback;
