-- api.retract_interaction: undo, exactly

begin;
select plan(18);

select tests.user('ann');
select tests.user('bob');
select tests.listing('bicycle', poster => 'pat', created_at => now() - interval '1 year');
select tests.interaction('ann', 'bicycle', 'view', now() - interval '40 days', 'long ago');
select tests.interaction('bob', 'bicycle', 'save', now() - interval '1 hour', 'by bob');

-- tracks as the caller and retracts again
create function tests.is_undone(type text, description text)
returns text
language plpgsql
as $$
declare
    before_it constant jsonb := tests.snapshot();
    between_them jsonb;
begin
    perform api.track_interaction(
        tests.listing_id('bicycle'), is_undone.type, event_id => tests.event_id('it')
    );
    between_them := tests.snapshot();
    perform api.retract_interaction(tests.event_id('it'));

    return ext.ok(between_them <> before_it and tests.snapshot() = before_it, description);
end;
$$;

select tests.act_as('ann');

select tests.is_undone(t.type, 'a ' || t.type || ' is undone without a trace')
from unnest(enum_range(null::feed.interaction_type)::text[]) as t (type);

-- the dismissed listing comes back
select is((select count(*) from api.get_feed()), 1::bigint, 'a listing is in my feed');

select api.track_interaction(
    tests.listing_id('bicycle'), 'dismiss', event_id => tests.event_id('dismissal')
);

select is_empty('select from api.get_feed()', 'dismissed it is gone');
select is(
    api.retract_interaction(tests.event_id('dismissal')),
    jsonb_build_object(
        'event_id', tests.event_id('dismissal'),
        'status', 'retracted',
        'listing_id', tests.listing_id('bicycle'),
        'type', 'dismiss'
    ),
    'the answer says what was retracted'
);
select is((select count(*) from api.get_feed()), 1::bigint, 'and it is back in the next feed');
select is(
    api.retract_interaction(tests.event_id('long ago')) ->> 'status',
    'retracted',
    'what is long past can be retracted, too'
);

-- and again
select is_refused(
    $$select api.retract_interaction(tests.event_id('dismissal'))$$,
    'PT404',
    'you have no event',
    'what is retracted is no more'
);
select is(
    api.track_interaction(
        tests.listing_id('bicycle'), 'save', event_id => tests.event_id('dismissal')
    ) ->> 'status',
    'recorded',
    'its event_id is free again'
);
select is_refused(
    $$select api.retract_interaction(tests.event_id('by bob'))$$,
    'PT404',
    'you have no event',
    'another''s event is not mine to retract'
);
select is_refused(
    $$select api.retract_interaction(null)$$, 'PT404', 'you have no event', 'null is no event'
);

reset role;

select is(tests.counters('bicycle'), '2 save', 'bob''s stands');

select tests.act('authenticated', '{"role": "authenticated"}');

select is_refused(
    $$select api.retract_interaction(tests.event_id('by bob'))$$,
    'PT401',
    'nobody is signed in',
    'without a sub nothing is retracted'
);

select tests.act_as_nobody();

select throws_ok(
    $$select api.retract_interaction(tests.event_id('by bob'))$$,
    '42501',
    null,
    'without a token it cannot be called'
);

select finish();
rollback;
