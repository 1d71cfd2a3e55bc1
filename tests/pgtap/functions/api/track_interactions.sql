-- api.track_interactions: a batch, all or nothing or one by one

begin;
select plan(48);

select tests.user('ann');
select tests.user('bob');
select tests.listing('bicycle');
select tests.listing('closed', status => 'closed');

-- an event with these fields beside the usual ones
create function tests.event(more jsonb default '{}')
returns jsonb
language sql
return jsonb_build_object('listing_id', tests.listing_id('bicycle'), 'type', 'view') || more;

create function tests.statuses(answer jsonb)
returns text
language sql
return (
    select string_agg(a ->> 'status', ' ' order by (a ->> 'index')::integer)
    from jsonb_array_elements(answer) as a
);

-- a batch with a bad event in its middle
create function tests.batch(bad jsonb)
returns text
language sql
return format(
    'select api.track_interactions(%L)',
    jsonb_build_array(
        tests.event('{"metadata": {"mine": true}}'),
        bad,
        tests.event('{"metadata": {"mine": true}}')
    )
);

select tests.act_as('ann');

-- good batches
select is(api.track_interactions('[]'), '[]', 'an empty batch has an empty answer');
select is(
    api.track_interactions(
        jsonb_build_array(
            tests.event(
                jsonb_build_object(
                    'event_id', tests.event_id('one'),
                    'occurred_at', now() - interval '1 day',
                    'metadata', '{"seconds": 3}'::jsonb
                )
            ),
            tests.event(jsonb_build_object('type', 'save', 'event_id', tests.event_id('two')))
        )
    ),
    jsonb_build_array(
        jsonb_build_object(
            'index', 0,
            'event_id', tests.event_id('one'),
            'status', 'recorded',
            'created_at', now() - interval '1 day'
        ),
        jsonb_build_object(
            'index', 1,
            'event_id', tests.event_id('two'),
            'status', 'recorded',
            'created_at', now()
        )
    ),
    'there is an answer an event, in their order'
);
select is(tests.counters('bicycle'), '1 view 1 save', 'and all of it counts');
select is(
    tests.statuses(
        api.track_interactions(
            (
                select jsonb_agg(tests.event())
                from generate_series(1, 1000)
            )
        )
    ),
    (
        select string_agg('recorded', ' ')
        from generate_series(1, 1000)
    ),
    'a batch may hold a thousand events'
);
select is(tests.counters('bicycle'), '2 view 1 save', 'a thousand views in an hour count once');

-- again
select is(
    tests.statuses(
        api.track_interactions(
            jsonb_build_array(
                tests.event(jsonb_build_object('type', 'save', 'event_id', tests.event_id('two'))),
                tests.event(
                    jsonb_build_object('type', 'save', 'event_id', tests.event_id('three'))
                ),
                tests.event(jsonb_build_object('type', 'save', 'event_id', tests.event_id('three')))
            )
        )
    ),
    'duplicate recorded duplicate',
    'what was recorded before, or earlier in the batch, is a duplicate'
);
select is(
    (
        select count(*) from api.my_interactions as i
        where i.type = 'save'
    ),
    2::bigint,
    'and recorded once'
);
select is(
    (
        select api.track_interactions(e) -> 1 -> 'created_at'
        from
            jsonb_build_array(
                tests.event(
                    jsonb_build_object(
                        'event_id', tests.event_id('four'),
                        'occurred_at', now() - interval '2 days'
                    )
                ),
                tests.event(jsonb_build_object('event_id', tests.event_id('four')))
            ) as e
    ),
    to_jsonb(now() - interval '2 days'),
    'the duplicate tells the time of the first'
);

-- abort: all or nothing
select
    is_refused(
        tests.batch(c.event), c.state, '^events\[1\]: .*' || c.message, 'abort: ' || c.description
    )
from
    (
        values
        (
            '42'::jsonb,
            'PT400',
            'an event must be an object',
            'a number is no event'
        ),
        (
            'null'::jsonb,
            'PT400',
            'an event must be an object',
            'null is no event'
        ),
        (
            '[]'::jsonb,
            'PT400',
            'an event must be an object',
            'an array is no event'
        ),
        (
            tests.event('{"lisitng": 1}'),
            'PT400',
            'unknown field "lisitng"',
            'an unknown field is refused'
        ),
        (
            tests.event('{"listing_id": "bicycle"}'),
            'PT400',
            'listing_id "bicycle" is not a uuid',
            'a listing_id must be a uuid'
        ),
        (
            tests.event() - 'listing_id',
            'PT400',
            'listing_id is missing',
            'a listing_id must be there'
        ),
        (
            tests.event() - 'type',
            'PT400',
            'type is missing',
            'a type must be there'
        ),
        (
            tests.event('{"type": "like"}'),
            'PT400',
            'unknown interaction type "like"',
            'a type must be known'
        ),
        (
            tests.event('{"type": ["view"]}'),
            'PT400',
            'unknown interaction type',
            'a type must be a string'
        ),
        (
            tests.event('{"metadata": "text"}'),
            'PT400',
            'metadata is not an object',
            'metadata must be an object'
        ),
        (
            tests.event('{"event_id": "1"}'),
            'PT400',
            'event_id "1" is not a uuid',
            'an event_id must be a uuid'
        ),
        (
            tests.event('{"user_uid": "ann"}'),
            'PT400',
            'user_uid "ann" is not a uuid',
            'a user_uid must be a uuid'
        ),
        (
            tests.event('{"occurred_at": "yesterday"}'),
            'PT400',
            'occurred_at "yesterday" is not a time',
            'a time must be a time'
        ),
        (
            tests.event('{"occurred_at": "2026-01-01T00:00:00"}'),
            'PT400',
            'is not a time',
            'with its zone'
        ),
        (
            tests.event(jsonb_build_object('occurred_at', now() + interval '1 hour')),
            'PT400',
            'in the future',
            'not in the future'
        ),
        (
            tests.event(jsonb_build_object('occurred_at', now() - interval '8 days')),
            'PT400',
            'more than 7 days ago',
            'not long ago'
        ),
        (
            tests.event(jsonb_build_object('user_uid', tests.user_uid('bob'))),
            'PT403',
            'this is somebody else',
            'another''s interaction is refused'
        ),
        (
            tests.event(jsonb_build_object('listing_id', tests.listing_id('no such'))),
            'PT404',
            'there is no listing',
            'the listing must exist'
        ),
        (
            tests.event(
                jsonb_build_object('listing_id', tests.listing_id('closed'), 'type', 'apply')
            ),
            'PT409',
            'the listing is closed',
            'and be open to apply to'
        ),
        (
            tests.event(jsonb_build_object('event_id', tests.event_id('two'))),
            'PT409',
            'recorded with other content',
            'an event_id is used once'
        )
    ) as c (event, state, message, description);

select is(
    (tests.raised(tests.batch('42'))).detail,
    '{"index": 1}',
    'the index of the bad event is in the details'
);
select matches(
    (tests.raised(tests.batch('42'))).hint,
    'Nothing of the batch was recorded',
    'and the hint says that nothing was recorded'
);
select is_empty(
    $$select from api.my_interactions where metadata ? 'mine'$$, 'as is the case'
);
select is_refused(
    format(
        'select api.track_interactions(%L)',
        jsonb_build_array(
            tests.event(jsonb_build_object('event_id', tests.event_id('five'))),
            tests.event(jsonb_build_object('event_id', tests.event_id('five'), 'type', 'click'))
        )
    ),
    'PT409',
    '^events\[1\]: .*recorded with other content',
    'abort: two contents under one event_id in one batch conflict'
);

-- skip: the good ones are recorded
select is(
    (
        select
            jsonb_build_object(
                'statuses', tests.statuses(a), 'error', a -> 1 -> 'error' -> 'code'
            )
        from
            api.track_interactions(
                jsonb_build_array(
                    tests.event('{"metadata": {"skipped": false}}'),
                    tests.event('{"type": "like"}'),
                    tests.event('{"metadata": {"skipped": false}}')
                ),
                'skip'
            ) as a
    ),
    '{"statuses": "recorded error recorded", "error": "PT400"}',
    'skip: the good ones are recorded, the bad one has its error'
);
select is(
    (
        select count(*) from api.my_interactions as i
        where i.metadata ? 'skipped'
    ),
    2::bigint,
    'they are in the log'
);
select is(
    api.track_interactions('[42]', 'skip'),
    '[{"index": 0, "status": "error", "error": {"code": "PT400",
        "message": "an event must be an object",
        "hint": "Send {\"listing_id\": …, \"type\": …}."}}]',
    'an error has its code, message and hint'
);
select is(
    tests.statuses(
        api.track_interactions(
            jsonb_build_array(
                tests.event(jsonb_build_object('event_id', tests.event_id('six'))),
                tests.event(jsonb_build_object('event_id', tests.event_id('six'))),
                tests.event(jsonb_build_object('event_id', tests.event_id('six'), 'type', 'click')),
                tests.event(jsonb_build_object('event_id', tests.event_id('two'), 'type', 'click'))
            ),
            'skip'
        )
    ),
    'recorded duplicate error error',
    'skip: within a batch, too, a repetition is a duplicate and another content an error'
);
select is(
    tests.statuses(
        api.track_interactions(
            jsonb_build_array(
                tests.event(
                    jsonb_build_object('event_id', tests.event_id('seven'), 'type', 'like')
                ),
                tests.event(jsonb_build_object('event_id', tests.event_id('seven')))
            ),
            'skip'
        )
    ),
    'error recorded',
    'skip: a bad event does not use up its event_id'
);

-- the batch itself
select is_refused(c.query, 'PT400', c.message, c.description)
from
    (
        values
        (
            $$select api.track_interactions('{}')$$,
            'events must be an array',
            'an object is no batch'
        ),
        ($$select api.track_interactions('42')$$, 'events must be an array', 'a number is none'),
        ($$select api.track_interactions(null)$$, 'events must be an array', 'null is none'),
        (
            $$select api.track_interactions(
                (select jsonb_agg(tests.event()) from generate_series(1, 1001))
            )$$,
            'at most 1000',
            'more than a thousand are refused'
        ),
        (
            $$select api.track_interactions('[]', 'ignore')$$,
            'on_error must be abort or skip',
            'there are two ways to go on'
        ),
        ($$select api.track_interactions('[]', null)$$, 'on_error', 'null is neither')
    ) as c (query, message, description);

-- the application, for anybody
select tests.act_as_service();

select is(
    tests.statuses(
        api.track_interactions(
            jsonb_build_array(
                tests.event(jsonb_build_object('user_uid', tests.user_uid('bob'))),
                tests.event(
                    jsonb_build_object('user_uid', tests.user_uid('ann'), 'type', 'dismiss')
                ),
                tests.event(jsonb_build_object('user_uid', tests.user_uid('no such'))),
                tests.event()
            ),
            'skip'
        )
    ),
    'recorded recorded error error',
    'service_role records for every user who is known, and must say who'
);
select is(
    (
        select count(*) from feed.user_interactions as i
        where i.user_uid = tests.user_uid('bob')
    ),
    1::bigint,
    'under that user''s name'
);

select tests.act('authenticated', '{"role": "authenticated"}');

select is_refused(
    $$select api.track_interactions('[]')$$, 'PT401', 'nobody is signed in', 'a sub is needed'
);

select tests.act_as_nobody();

select throws_ok(
    $$select api.track_interactions('[]')$$, '42501', null, 'without a token it cannot be called'
);

reset role;

select is_empty(
    'select listing_id from tests.wrong_counters', 'and all is counted as it should be'
);

select finish();
rollback;
