-- feed.check_interaction, feed.record_interactions, feed.require_batch, feed.refuse_batch,
-- feed.one_line: what no test of the api reaches

begin;
select plan(17);

select tests.user('ann');
select tests.listing('bicycle');

select is(
    (
        select c.status
        from feed.check_interaction(
                jsonb_build_object('listing_id', tests.listing_id('bicycle'), 'type', 'view'),
                tests.user_uid('ann'),
                false
            ) as c
    ),
    200,
    'a good event is 200'
);
select is(
    (
        select c.problem
        from feed.check_interaction(
                jsonb_build_object('listing_id', tests.listing_id('bicycle'), 'type', 'view'),
                tests.user_uid('ann'),
                false
            ) as c
    ),
    null,
    'with no problem'
);
select is(
    (
        select row(c.user_uid, c.listing_id, c.type, c.metadata, c.event_id, c.occurred_at)::text
        from feed.check_interaction(
                jsonb_build_object(
                    'listing_id', upper(tests.listing_id('bicycle')::text),
                    'type', 'save',
                    'metadata', '{"a": 1}'::jsonb,
                    'event_id', upper(tests.event_id('one')::text),
                    'occurred_at', now() - interval '1 minute'
                ),
                tests.user_uid('ann'),
                false
            ) as c
    ),
    row(
        tests.user_uid('ann'),
        tests.listing_id('bicycle'),
        'save',
        '{"a": 1}'::jsonb,
        tests.event_id('one'),
        now() - interval '1 minute'
    )::text,
    'its fields are read, uuids in capitals too'
);
select is(
    (
        select c.occurred_at
        from feed.check_interaction(
                jsonb_build_object('listing_id', tests.listing_id('bicycle'), 'type', 'view'),
                tests.user_uid('ann'),
                false
            ) as c
    ),
    null,
    'no time means that the server says when'
);
select is(
    (
        select row(c.status, c.problem)::text
        from feed.check_interaction(
                jsonb_build_object('listing_id', tests.listing_id('bicycle'), 'type', 'view'),
                null,
                true
            ) as c
    ),
    '(400,"user_uid is missing")',
    'whose it is must be known'
);
select ok(
    (
        select bool_and(c.problem <> '' and c.remedy ~ '\.$')
        from
            unnest(
                array[
                    'null', '[]', '{"x": 1}', '{"user_uid": "x"}', '{}', '{"listing_id": 1}'
                ]::jsonb[]
            ) as e (event)
        cross join lateral feed.check_interaction(e.event, tests.user_uid('ann'), false) as c
    ),
    'every problem has its remedy'
);

-- what a client sends never breaks a line: PostgREST puts messages into the status line
select is(feed.one_line(e'a\nb\r\nc\td'), 'a b c d', 'control characters are a space');
select is(feed.one_line(repeat('x', 300)), repeat('x', 100), 'words end after 100 characters');
select is(feed.one_line('héllo 日本'), 'héllo 日本', 'letters stay');
select is(feed.one_line(null), null, 'null stays null');
select
    ok(
        (
            select bool_and(c.problem !~ '[[:cntrl:]]' and length(c.problem) < 200)
            from feed.check_interaction(
                    jsonb_build_object(
                        'listing_id', tests.listing_id('bicycle'), 'type', 'view'
                    ) || jsonb_build_object(f.field, e'x\r\nSet-Cookie: a' || repeat('y', 500)),
                    tests.user_uid('ann'),
                    false
                ) as c
        ),
        'what is wrong in ' || f.field || ' is said in one line'
    )
from unnest(array['listing_id', 'type', 'event_id', 'user_uid', 'occurred_at']) as f (field);
select ok(
    (
        select c.problem !~ '[[:cntrl:]]'
        from feed.check_interaction(
                jsonb_build_object(e'x\r\nSet-Cookie: a', 1), tests.user_uid('ann'), false
            ) as c
    ),
    'and so is the name of a field'
);
select ok(
    (
        tests.raised(
            format(
                'select feed.require_batch(%L, array[%L])',
                jsonb_build_array(jsonb_build_object(e'x\r\nSet-Cookie: a', 1)),
                'y'
            )
        )
    ).message !~ '[[:cntrl:]]',
    'of a batch, too'
);

select finish();
rollback;
