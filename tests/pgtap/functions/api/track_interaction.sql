-- api.track_interaction: one interaction of the caller

begin;
select plan(59);

select tests.user('ann');
select tests.listing('bicycle', poster => 'pat');
select tests.listing('closed', status => 'closed');
select tests.listing('expired', expires_at => now());
create temporary table answers (name text, answer jsonb);
grant all on answers to public;

select tests.act_as('ann');

-- what is recorded
insert into answers
select
    'first',
    api.track_interaction(
        tests.listing_id('bicycle'), 'view', '{"seconds": 42}', tests.event_id('first')
    );

select is(
    (select a.answer from answers as a),
    jsonb_build_object(
        'event_id', tests.event_id('first'), 'status', 'recorded', 'created_at', now()
    ),
    'the answer says that it is recorded, as what and when'
);
select results_eq(
    $$select user_uid, listing_id, type::text, metadata, created_at, event_id
    from feed.user_interactions$$,
    $$
    values (
        tests.user_uid('ann'), tests.listing_id('bicycle'), 'view', '{"seconds": 42}'::jsonb,
        now(), tests.event_id('first')
    )
    $$,
    'and the log has it, under the caller''s name'
);
select is(tests.counters('bicycle'), '1 view', 'it counts at once');

select
    is(
        api.track_interaction(tests.listing_id('bicycle'), t.type) ->> 'status',
        'recorded',
        'a ' || t.type || ' is recorded'
    )
from unnest(enum_range(null::feed.interaction_type)::text[]) as t (type);

select is(
    tests.counters('bicycle'),
    '1 view 1 click 1 apply 1 save 1 share 1 dismiss',
    'each counts by the rules'
);
select is(
    (
        select count(*) from api.my_interactions as i
        where i.metadata = '{}'
    ),
    6::bigint,
    'metadata left out is an empty object'
);
select is(
    api.track_interaction(tests.listing_id('bicycle'), 'view', 'null') ->> 'status',
    'recorded',
    'and so is null'
);
select is(
    (
        select count(distinct i.event_id) from api.my_interactions as i
    ),
    8::bigint,
    'an event_id left out is a new one'
);

-- again
select is(
    api.track_interaction(
        tests.listing_id('bicycle'), 'view', '{"seconds": 42}', tests.event_id('first')
    ),
    jsonb_build_object(
        'event_id', tests.event_id('first'), 'status', 'duplicate', 'created_at', now()
    ),
    'the same event again is a duplicate'
);
select is(tests.log_size(), 8::bigint, 'and changes nothing');
select
    is_refused(
        format(
            'select api.track_interaction(tests.listing_id(%L), %L, %L, tests.event_id(%L), %s)',
            c.listing, c.type, c.metadata, 'first', c.occurred_at
        ),
        'PT409',
        'event_id was recorded with other content',
        c.description
    )
from
    (
        values
        ('bicycle', 'view', '{"seconds": 43}', 'null', 'other metadata under its id conflict'),
        ('bicycle', 'click', '{"seconds": 42}', 'null', 'and another type'),
        ('closed', 'view', '{"seconds": 42}', 'null', 'and another listing'),
        (
            'bicycle', 'view', '{"seconds": 42}', $$now() - interval '1 hour'$$, 'and another time'
        )
    ) as c (listing, type, metadata, occurred_at, description);

select is(
    api.track_interaction(
        tests.listing_id('bicycle'), 'view', '{"seconds": 42}', tests.event_id('first'), now()
    ) ->> 'status',
    'duplicate',
    'the same time, said, does not'
);

-- when
select is(
    (
        api.track_interaction(
            tests.listing_id('bicycle'),
            'view',
            event_id => tests.event_id('offline'),
            occurred_at => now() - interval '6 days 23 hours'
        ) ->> 'created_at'
    )::timestamptz,
    now() - interval '6 days 23 hours',
    'occurred_at becomes created_at'
);
select is(
    api.track_interaction(
        tests.listing_id('bicycle'),
        'view',
        event_id => tests.event_id('offline'),
        occurred_at => now() - interval '6 days 23 hours'
    ) ->> 'status',
    'duplicate',
    'and can be tried again'
);
select is_refused(
    $$select api.track_interaction(
        tests.listing_id('bicycle'), 'view', occurred_at => now() - interval '7 days 1 second'
    )$$,
    'PT400',
    'occurred_at is more than 7 days ago',
    'what is older than 7 days is refused'
);
select is_refused(
    $$select api.track_interaction(
        tests.listing_id('bicycle'), 'view', occurred_at => clock_timestamp() + interval '1 second'
    )$$,
    'PT400',
    'occurred_at is in the future',
    'what has not happened yet is refused'
);
select is_refused(
    $$select api.track_interaction(
        tests.listing_id('bicycle'), 'view', occurred_at => 'infinity'
    )$$,
    'PT400',
    'occurred_at',
    'and what never will'
);

-- closed and expired listings
select
    is_refused(
        format($$select api.track_interaction(tests.listing_id(%L), 'apply')$$, l.name),
        'PT409',
        'the listing is closed',
        'nobody applies to a listing that is ' || l.name
    )
from (values ('closed'), ('expired')) as l (name);
select
    is(
        api.track_interaction(tests.listing_id(l.name), t.type) ->> 'status',
        'recorded',
        format('a listing that is %s takes a %s', l.name, t.type)
    )
from (values ('closed'), ('expired')) as l (name)
cross join unnest(array['view', 'click', 'save', 'share', 'dismiss']) as t (type);

reset role;
select tests.listing('short');
select tests.act_as('ann');
select api.track_interaction(
    tests.listing_id('short'), 'apply', event_id => tests.event_id('in time')
);
reset role;
update feed.listings
set status = 'closed'
where title = 'short';
select tests.act_as('ann');

select is(
    api.track_interaction(
        tests.listing_id('short'), 'apply', event_id => tests.event_id('in time')
    ) ->> 'status',
    'duplicate',
    'an application that was in time can be tried again when the listing is closed'
);

-- bad input
select
    is_refused(
        format('select api.track_interaction(%s)', c.arguments), c.state, c.message, c.description
    )
from
    (
        values
        (
            $$tests.listing_id('no such'), 'view'$$,
            'PT404',
            'there is no listing',
            'the listing must exist'
        ),
        ($$null, 'view'$$, 'PT400', 'listing_id is missing', 'it must be said'),
        ($$tests.listing_id('bicycle')$$, 'PT400', 'type is missing', 'the type must be said'),
        (
            $$tests.listing_id('bicycle'), 'like'$$,
            'PT400',
            'unknown interaction type "like"',
            'the type must be known'
        ),
        (
            $$tests.listing_id('bicycle'), 'VIEW'$$,
            'PT400',
            'unknown interaction type "VIEW"',
            'to the letter'
        ),
        (
            $$tests.listing_id('bicycle'), 'view', '[]'$$,
            'PT400',
            'metadata is not an object',
            'metadata is no array'
        ),
        (
            $$tests.listing_id('bicycle'), 'view', '42'$$,
            'PT400',
            'metadata is not an object',
            'nor a number'
        ),
        (
            $$tests.listing_id('bicycle'), 'view', jsonb_build_object('x', repeat('x', 4096))$$,
            'PT400',
            'larger than 4096 bytes',
            'nor large'
        ),
        (
            $$tests.listing_id('bicycle'), 'view', '{"seconds": -1}'$$,
            'PT400',
            'metadata.seconds',
            'nobody looks for less than no time'
        ),
        (
            $$tests.listing_id('bicycle'), 'view', '{"seconds": 86401}'$$,
            'PT400',
            'metadata.seconds',
            'nor for more than a day'
        ),
        (
            $$tests.listing_id('bicycle'), 'view', '{"seconds": "42"}'$$,
            'PT400',
            'metadata.seconds',
            'nor for a string'
        ),
        (
            $$tests.listing_id('bicycle'), 'view', '{"seconds": null}'$$,
            'PT400',
            'metadata.seconds',
            'nor for null'
        )
    ) as c (arguments, state, message, description);

-- the listing may be in the path
select set_config(
    'request.headers', jsonb_build_object('x-listing-id', tests.listing_id('bicycle'))::text, true
);

select is(
    api.track_interaction(type => 'view') ->> 'status', 'recorded', 'the path may name the listing'
);
select is(
    api.track_interaction(tests.listing_id('bicycle'), 'view') ->> 'status',
    'recorded',
    'both may name the same'
);
select is_refused(
    $$select api.track_interaction(tests.listing_id('closed'), 'view')$$,
    'PT400',
    'the path and the body name different listings',
    'but not two different ones'
);
select set_config('request.headers', '{"x-listing-id": "bicycle"}', true);
select is_refused(
    $$select api.track_interaction(type => 'view')$$,
    'PT400',
    'listing_id "bicycle" is not a uuid',
    'a path that names no uuid is refused'
);
select set_config('request.headers', '', true);

-- who
select tests.act_as('stranger');

select is(
    api.track_interaction(tests.listing_id('bicycle'), 'view') ->> 'status',
    'recorded',
    'somebody new becomes known by the first call'
);
select isnt(tests.user_no('stranger'), null, 'from then on they have a number');

select tests.act('authenticated', '{"role": "authenticated"}');

select is_refused(
    $$select api.track_interaction(tests.listing_id('bicycle'), 'view')$$,
    'PT401',
    'nobody is signed in',
    'without a sub nothing is recorded'
);

select tests.act_as_nobody();

select throws_ok(
    $$select api.track_interaction(tests.listing_id('bicycle'), 'view')$$,
    '42501',
    null,
    'without a token it cannot be called'
);

reset role;

select is_empty(
    'select listing_id from tests.wrong_counters', 'and all is counted as it should be'
);

select finish();
rollback;
