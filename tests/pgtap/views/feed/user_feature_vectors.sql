-- feed.user_feature_vectors: what training knows of each user

begin;
select plan(2);

select tests.user('ann');
select tests.user('bob');
select tests.user_vector('ann', array[0.6, 0.8], tag_preference => '{"a": 2, "b": -1}');

select results_eq(
    'select user_uid, tag_preference, feature_vector from feed.user_feature_vectors',
    $$select tests.user_uid('ann'), '{"a": 2, "b": -1}'::jsonb, '{0.6, 0.8}'::real[]$$,
    'a user of whom nothing was learnt has no row'
);

select tests.act_as('ann');

select throws_ok(
    'select user_uid from feed.user_feature_vectors', '42501', null,
    'a user may not read it'
);

select finish();
rollback;
