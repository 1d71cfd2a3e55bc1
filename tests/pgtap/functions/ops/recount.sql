-- ops.recount: what differs from the log is named, and repaired

begin;
select plan(37);

-- Damage as a fault would do it: past the triggers and the foreign keys.
create function tests.damage(statement text)
returns void
language plpgsql
as $$
begin
    set local session_replication_role = replica;
    execute statement;
    set local session_replication_role = origin;
end;
$$;

create function tests.recounted(repair boolean default false)
returns setof text
language sql
as $$
    select r.relation || case when r.is_repaired then ': repaired' else ': wrong' end
    from ops.recount(repair) as r
    order by 1
$$;

-- Some damage is found in these tables, its check changes nothing, and its repair brings back
-- what was there before.
create function tests.is_mended(damage text, wrong text[], description text)
returns setof text
language plpgsql
as $$
declare
    before_it constant jsonb := tests.snapshot();
    damaged jsonb;
    repaired text[];
begin
    perform tests.damage(damage);
    damaged := tests.snapshot();

    return next ext.ok(
        damaged <> before_it
        and array(select tests.recounted()) = array(select w || ': wrong' from unnest(wrong) as w)
        and tests.snapshot() = damaged,
        description || ' is found, and the check changes nothing'
    );
    -- A statement of its own: the next one sees what it did.
    repaired := array(select tests.recounted(true));
    return next ext.ok(
        repaired = array(select w || ': repaired' from unnest(wrong) as w)
        and tests.snapshot() = before_it
        and not exists (select from ops.recount()),
        description || ' is repaired, without a trace'
    );
end;
$$;

select tests.user('ann');
select tests.user('bob');
select tests.listing('bicycle', poster => 'pat');
select tests.listing('kayak');
select tests.interaction('ann', 'bicycle', t.type, '2026-06-01 10:00Z', t.type::text)
from unnest(enum_range(null::feed.interaction_type)) as t (type);
select tests.interaction('ann', 'bicycle', t.type, '2026-06-01 10:30Z')
from unnest(enum_range(null::feed.interaction_type)) as t (type);
select tests.interaction('bob', 'bicycle', 'view', '2026-06-01 10:00Z');
select tests.interaction('bob', 'kayak', 'save', '2026-05-01 10:00Z');
select tests.interaction('pat', 'bicycle', 'apply', '2026-06-01 10:00Z');

select is_empty('select tests.recounted()', 'what was counted by trigger is right');
select is_empty('select tests.recounted(true)', 'so there is nothing to repair');

select tests.is_mended(d.damage, d.wrong, d.description)
from (
    values
    (
        $$update feed.engagement_metrics set view_count = view_count + 2$$,
        array['feed.engagement_metrics', 'feed.engagement_metrics'],
        'a counter that is too high, for every listing,'
    ),
    (
        $$update feed.engagement_metrics set apply_count = 0
        where listing_id = tests.listing_id('bicycle')$$,
        array['feed.engagement_metrics'],
        'a counter that is too low'
    ),
    (
        $$delete from feed.engagement_metrics where listing_id = tests.listing_id('kayak')$$,
        array['feed.engagement_metrics'],
        'a counter that is missing'
    ),
    (
        $$update feed.user_listing_states set share_count = 7
        where user_no = tests.user_no('ann')$$,
        array['feed.user_listing_states'],
        'a count of a pair'
    ),
    (
        $$update feed.user_listing_states set strongest_weight = 1
        where user_no = tests.user_no('ann')$$,
        array['feed.user_listing_states'],
        'a weight of a pair'
    ),
    (
        $$update feed.user_listing_states set last_at = '2026-07-01'
        where user_no = tests.user_no('bob')$$,
        array['feed.user_listing_states', 'feed.user_listing_states'],
        'the latest time of a pair'
    ),
    (
        $$insert into feed.user_listing_states (
            user_no, listing_no, view_count, strongest_weight, last_at
        )
        values (tests.user_no('ann'), tests.listing_no('kayak'), 1, 1, now())$$,
        array['feed.user_listing_states'],
        'a pair that never met'
    ),
    (
        $$delete from feed.interaction_keys where event_id = tests.event_id('view')$$,
        array['feed.interaction_keys'],
        'a key that is missing'
    ),
    (
        $$update feed.interaction_keys set payload_hash = 1
        where event_id = tests.event_id('view')$$,
        array['feed.interaction_keys'],
        'a key with another content'
    ),
    (
        $$update feed.interaction_keys set created_at = '2026-06-02'
        where event_id = tests.event_id('view')$$,
        array['feed.interaction_keys'],
        'a key with another time'
    ),
    (
        $$insert into feed.interaction_keys values (
            tests.user_uid('ann'), gen_random_uuid(), 1, '2026-06-02'
        )$$,
        array['feed.interaction_keys'],
        'a key of an event that is not in the log'
    )
) as d (damage, wrong, description);

-- The counters are asked of the states, so a wrong state makes them seem wrong until it is right.
select tests.damage(
    $$delete from feed.user_listing_states where user_no = tests.user_no('ann')$$
);

select results_eq(
    'select tests.recounted()',
    $$values ('feed.engagement_metrics: wrong'), ('feed.user_listing_states: wrong')$$,
    'a pair that is missing makes the counters seem wrong'
);
select results_eq(
    'select tests.recounted(true)',
    $$values ('feed.user_listing_states: repaired')$$,
    'but only the pair is repaired'
);
select is_empty('select tests.recounted()', 'and then all is well');
select is(
    (
        select row(s.apply_count, s.strongest_weight, s.is_dismissed, s.applied_at, s.last_at)::text
        from feed.user_listing_states as s
        where s.user_no = tests.user_no('ann')
    ),
    row(
        2, 10::smallint, true, '2026-06-01 10:00Z'::timestamptz, '2026-06-01 10:30Z'::timestamptz
    )::text,
    'the pair is made anew from the log'
);

-- Rows that went past the triggers.
select tests.damage(
    $$
    insert into feed.user_interactions (user_uid, listing_id, type, created_at, event_id)
    values (
        tests.user_uid('bob'), tests.listing_id('kayak'), 'apply', '2026-06-03 10:00Z',
        tests.event_id('smuggled')
    )
    $$
);

select results_eq(
    'select tests.recounted(true)',
    $$
    values
    ('feed.engagement_metrics: repaired'),
    ('feed.interaction_keys: repaired'),
    ('feed.user_listing_states: repaired')
    $$,
    'a row that came into the log uncounted is counted'
);
select is(tests.counters('kayak'), '1 apply 1 save', 'once');
select ok(
    (
        select m.is_stale from feed.engagement_metrics as m
        where m.listing_id = tests.listing_id('kayak')
    ),
    'and the hourly job is told'
);

-- An event twice in the log: which one is right, nobody can tell from here.
select tests.damage(
    $$
    insert into feed.user_interactions (user_uid, listing_id, type, created_at, event_id)
    values (
        tests.user_uid('bob'), tests.listing_id('kayak'), 'apply', '2026-06-04 10:00Z',
        tests.event_id('smuggled')
    )
    $$
);

select results_eq(
    'select tests.recounted(true)',
    $$
    values ('feed.interaction_keys: wrong'), ('feed.user_listing_states: repaired')
    $$,
    'an event that is twice in the log keeps its key, and is said to be unrepaired'
);

delete from feed.user_interactions
where created_at = '2026-06-04 10:00Z';
select tests.recounted(true);
select is_empty('select tests.recounted()', 'until one of the two is deleted');

-- Retention: what has gone stands in the base, and the pair remembers it.
select tests.damage(
    $$
    with gone as (
        delete from feed.user_interactions
        where created_at < '2026-06-01'
        returning user_uid, event_id
    ), keys as (
        delete from feed.interaction_keys as k
        using gone as g
        where k.user_uid = g.user_uid and k.event_id = g.event_id
    )
    insert into feed.engagement_base (listing_id, save_count)
    values (tests.listing_id('kayak'), 1)
    $$
);

select is_empty(
    'select tests.recounted()',
    'a pair may know of what retention took: its count and its first time are left alone'
);
select is(
    (
        select row(s.save_count, s.saved_at)::text
        from feed.user_listing_states as s
        where s.user_no = tests.user_no('bob') and s.listing_no = tests.listing_no('kayak')
    ),
    row(1, '2026-05-01 10:00Z'::timestamptz)::text,
    'by a repair, too'
);
select tests.damage($$update feed.user_listing_states set view_count = 1
    where user_no = tests.user_no('bob') and listing_no = tests.listing_no('kayak')$$);
select results_eq(
    'select tests.recounted(true)',
    $$values ('feed.user_listing_states: repaired')$$,
    'but not a count of a type that retention took nothing of'
);
select tests.damage(
    $$
    insert into feed.interaction_keys
    values (tests.user_uid('ann'), gen_random_uuid(), 1, '2001-01-01')
    $$
);
select is_empty(
    'select tests.recounted()', 'a key of a month that has no partition any more is no fault'
);

select finish();
rollback;
