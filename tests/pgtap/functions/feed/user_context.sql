-- feed.user_context: the one row of facts about whoever asks

begin;
select plan(23);

select is(
    (select count(*) from feed.user_context(tests.user_uid('nobody'), 10)),
    1::bigint,
    'somebody who has never called has one row, too'
);
select is(
    (select to_jsonb(c) - 'user_uid' from feed.user_context(tests.user_uid('nobody'), 10) as c),
    '{"user_no": null, "location": null, "max_distance": null, "tags": [],
      "has_inferred_tags": false, "blocked_tags": [], "is_personalized": true,
      "feature_vector": null}'::jsonb,
    'it has no place, no preferences, no history, and personalization'
);
select is(
    (select c.user_uid from feed.user_context(tests.user_uid('nobody'), 10) as c),
    tests.user_uid('nobody'),
    'it has the uuid that was asked for'
);
select is((select count(*) from feed.user_context(null, 10)), 1::bigint, 'null has one row, too');

select tests.user(
    'ann',
    lat => 47.37,
    lon => 8.54,
    max_distance => 10,
    preferred_tags => '{jazz,bike}',
    blocked_tags => '{meat}'
);

select is(
    (
        select ext.st_astext(c.location)
        from feed.user_context(tests.user_uid('ann'), 10) as c
    ),
    'POINT(8.54 47.37)',
    'the place is the user''s'
);
select is(
    (select c.max_distance from feed.user_context(tests.user_uid('ann'), 10) as c),
    10::double precision,
    'the distance is the user''s'
);
select is(
    (select c.tags from feed.user_context(tests.user_uid('ann'), 10) as c),
    '{bike,jazz}',
    'the tags are the preferred ones'
);
select is(
    (select c.blocked_tags from feed.user_context(tests.user_uid('ann'), 10) as c),
    '{meat}',
    'the blocked tags are the user''s'
);

select tests.user_vector(
    'ann', '{0.6,0.8}', '{"chess": 3, "golf": 2}'
);

select is(
    (select c.tags from feed.user_context(tests.user_uid('ann'), 10) as c),
    '{bike,jazz}',
    'preferred tags are not mixed with learned ones'
);
select is(
    (select c.has_inferred_tags from feed.user_context(tests.user_uid('ann'), 10) as c),
    false,
    'and are not called inferred'
);
select is(
    (select c.feature_vector from feed.user_context(tests.user_uid('ann'), 10) as c),
    '{0.6,0.8}'::real[],
    'the vector is the learned one'
);

select tests.user('bob');
select tests.user_vector(
    'bob',
    null,
    '{"tie b": 2, "tie a": 2, "most": 3.5, "least": 0.1, "zero": 0, "hated": -4, "Tie": 2}'
);

select is(
    (select c.tags from feed.user_context(tests.user_uid('bob'), 10) as c),
    '{most,Tie,"tie a","tie b",least}',
    'who prefers no tags has the learned ones above 0: strongest first, ties in byte order'
);
select is(
    (select c.has_inferred_tags from feed.user_context(tests.user_uid('bob'), 10) as c),
    true,
    'and they are called inferred'
);
select is(
    (select c.tags from feed.user_context(tests.user_uid('bob'), 3) as c),
    '{most,Tie,"tie a"}',
    'as many as asked for'
);
select is(
    (select c.tags from feed.user_context(tests.user_uid('bob'), 0) as c),
    '{}',
    'none if none are asked for'
);
select is(
    (select c.feature_vector from feed.user_context(tests.user_uid('bob'), 10) as c),
    null,
    'a user whose vector is not known has none'
);

select tests.user('cid', personalization_enabled => false);
select tests.user_vector('cid', '{0.6,0.8}', '{"chess": 3}');

select is(
    (
        select to_jsonb(c) - 'user_uid' - 'user_no'
        from feed.user_context(tests.user_uid('cid'), 10) as c
    ),
    '{"location": null, "max_distance": null, "tags": [], "has_inferred_tags": false,
      "blocked_tags": [], "is_personalized": false, "feature_vector": null}'::jsonb,
    'with personalization off nothing that was learned is used'
);

update feed.user_feed_preferences
set preferred_tags = '{jazz}'
where user_uid = tests.user_uid('cid');

select is(
    (select c.tags from feed.user_context(tests.user_uid('cid'), 10) as c),
    '{jazz}',
    'but what the user prefers still is'
);

select tests.user('dan', max_distance => 5);
select tests.user_vector('dan', null, '{"chess": 3}');

select is(
    (select c.tags from feed.user_context(tests.user_uid('dan'), 10) as c),
    '{chess}',
    'a row of preferences without tags leaves the learned ones'
);

select tests.user('eve');
select tests.user_vector('eve', '{1}', '{"hated": -4}');

select is(
    (
        select row(c.tags, c.has_inferred_tags)::text
        from feed.user_context(tests.user_uid('eve'), 10) as c
    ),
    '({},f)',
    'who likes nothing has no tags, and none are called inferred'
);

-- another model in force
with other as (
    insert into ml.models (trained_at)
    values (now())
    returning model_id
)

update ml.current_model
set model_id = other.model_id
from other;

select is(
    (
        select row(c.tags, c.feature_vector)::text
        from feed.user_context(tests.user_uid('bob'), 10) as c
    ),
    '({},)',
    'only the model in force counts'
);

select is(
    (select c.user_no from feed.user_context(tests.user_uid('ann'), 10) as c),
    tests.user_no('ann'),
    'the number is the user''s'
);
select is(
    (select c.is_personalized from feed.user_context(tests.user_uid('ann'), 10) as c),
    true,
    'a row of preferences leaves personalization on'
);

select finish();
rollback;
