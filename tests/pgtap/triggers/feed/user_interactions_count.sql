-- feed.tg_user_interactions__count: what counts, and what is remembered

begin;
select plan(47);

create function tests.state(user_name text, listing_name text)
returns jsonb
language sql
as $$
    select jsonb_strip_nulls(to_jsonb(s) - 'user_no' - 'listing_no')
    from feed.user_listing_states as s
    where s.user_no = tests.user_no(user_name) and s.listing_no = tests.listing_no(listing_name)
$$;

select tests.user('ann');
select tests.user('bob');
select tests.listing(n, poster => 'pat')
from
    unnest(
        array[
            'a view', 'a click', 'a share', 'an apply', 'a save', 'a dismiss', 'a batch',
            'an order', 'an own', 'a pair', 'a mixture'
        ]
    ) as n;

-- one count a user, listing, type and UTC hour
select tests.interaction('ann', n.listing, n.type, '2026-06-01 10:00Z')
from (values ('a view', 'view'::feed.interaction_type), ('a click', 'click'), ('a share', 'share'))
        as n (listing, type);

select is(tests.counters('a view'), '1 view', 'a view counts');
select is(tests.counters('a click'), '1 click', 'a click counts');
select is(tests.counters('a share'), '1 share', 'a share counts');

select tests.interaction('ann', n.listing, n.type, '2026-06-01 10:59:59.999999Z')
from (values ('a view', 'view'::feed.interaction_type), ('a click', 'click'), ('a share', 'share'))
        as n (listing, type);

select is(tests.counters('a view'), '1 view', 'a second view in the hour does not count');
select is(tests.counters('a click'), '1 click', 'nor does a second click');
select is(tests.counters('a share'), '1 share', 'nor a second share');

select tests.interaction('ann', n.listing, n.type, '2026-06-01 11:00Z')
from (values ('a view', 'view'::feed.interaction_type), ('a click', 'click'), ('a share', 'share'))
        as n (listing, type);

select is(tests.counters('a view'), '2 view', 'a view in the next hour counts');
select is(tests.counters('a click'), '2 click', 'and so does a click');
select is(tests.counters('a share'), '2 share', 'and a share');

select is(
    tests.state('ann', 'a view') ->> 'view_count', '3', 'the state counts every row of the log'
);
select is(
    (
        select count(*) from feed.user_interactions as i
        where i.listing_id = tests.listing_id('a view')
    ),
    3::bigint,
    'the log keeps every row'
);

select tests.interaction('ann', 'a view', 'view', '2026-06-01 09:30Z');
select tests.interaction('ann', 'a view', 'view', '2026-06-01 09:10Z');

select is(
    tests.counters('a view'), '3 view', 'what comes late counts in its own hour, and there once'
);

select tests.interaction('bob', 'a view', 'view', '2026-06-01 10:30Z');

select is(tests.counters('a view'), '4 view', 'another user counts by themselves');

-- the hour is UTC's, wherever the session is
set local timezone = 'Asia/Kathmandu';
select tests.interaction('bob', 'a view', 'view', '2026-06-01 10:05Z');
reset timezone;

select is(
    tests.counters('a view'),
    '4 view',
    'the hour is that of UTC, in a zone with quarter hours too'
);

-- once ever
select tests.interaction('ann', n.listing, n.type, a.at)
from
    (
        values ('an apply', 'apply'::feed.interaction_type),
        ('a save', 'save'),
        ('a dismiss', 'dismiss')
    )
        as n (listing, type)
cross join
    (values ('2026-05-01 10:00Z'::timestamptz), ('2026-04-01 10:00Z'), ('2026-06-01 10:00Z'))
        as a (at);

select is(tests.counters('an apply'), '1 apply', 'applying counts once ever');
select is(tests.counters('a save'), '1 save', 'saving counts once ever');
select is(tests.counters('a dismiss'), '1 dismiss', 'dismissing counts once ever');
select is(
    tests.state('ann', 'an apply'),
    '{"view_count": 0, "click_count": 0, "apply_count": 3, "save_count": 0, "share_count": 0,
      "dismiss_count": 0, "strongest_weight": 10, "is_dismissed": false,
      "applied_at": "2026-04-01T10:00:00+00:00", "last_at": "2026-06-01T10:00:00+00:00"}'::jsonb,
    'applied_at is the first application, last_at the last interaction, in whatever order'
);
select is(
    tests.state('ann', 'a save') - 'last_at',
    '{"view_count": 0, "click_count": 0, "apply_count": 0, "save_count": 3, "share_count": 0,
      "dismiss_count": 0, "strongest_weight": 5, "is_dismissed": false,
      "saved_at": "2026-04-01T10:00:00+00:00"}'::jsonb,
    'saved_at is the first save'
);
select is(
    tests.state('ann', 'a dismiss') - 'last_at',
    '{"view_count": 0, "click_count": 0, "apply_count": 0, "save_count": 0, "share_count": 0,
      "dismiss_count": 3, "strongest_weight": -5, "is_dismissed": true,
      "dismissed_at": "2026-04-01T10:00:00+00:00"}'::jsonb,
    'dismissed_at is the first dismissal, and the pair is dismissed'
);

-- the strongest weight of a pair
select tests.interaction('ann', 'a pair', 'dismiss', '2026-06-01 10:00Z');

select is(
    tests.state('ann', 'a pair') ->> 'strongest_weight', '-5', 'a dismissal alone weighs -5'
);

select
    is(
        tests.state('ann', 'a pair') ->> 'strongest_weight',
        n.weight,
        n.type || ' makes the strongest weight of the pair ' || n.weight
    )
from
    (
        values
        ('view', '1'),
        ('click', '2'),
        ('share', '3'),
        ('save', '5'),
        ('apply', '10'),
        ('view', '10')
    ) as n (type, weight)
cross join
    lateral
    tests.interaction(
        'ann', 'a pair', n.type::feed.interaction_type, '2026-06-01 12:00Z'
    ) as i
where i is not null;

select is(
    tests.counters('a pair'),
    '1 view 1 click 1 apply 1 save 1 share 1 dismiss',
    'every type counts by itself'
);

-- one statement with many rows
insert into feed.user_interactions (user_uid, listing_id, type, created_at)
select
    tests.user_uid(u.name),
    tests.listing_id('a batch'),
    t.type::feed.interaction_type,
    a.at
from (values ('ann'), ('bob'), ('pat')) as u (name)
cross join (values ('view'), ('apply')) as t (type)
cross join
    (
        values
        ('2026-06-01 10:00Z'::timestamptz),
        ('2026-06-01 10:30Z'),
        ('2026-06-01 11:00Z'),
        ('2026-06-02 10:00Z')
    ) as a (at);

select is(
    tests.counters('a batch'),
    '6 view 2 apply',
    'in one statement the rules are the same: three hours of two users, two applications'
);
select is(
    tests.state('bob', 'a batch'),
    '{"view_count": 4, "click_count": 0, "apply_count": 4, "save_count": 0, "share_count": 0,
      "dismiss_count": 0, "strongest_weight": 10, "is_dismissed": false,
      "applied_at": "2026-06-01T10:00:00+00:00", "last_at": "2026-06-02T10:00:00+00:00"}'::jsonb,
    'and so is the state'
);

insert into feed.user_interactions (user_uid, listing_id, type, created_at)
select
    tests.user_uid('ann'),
    tests.listing_id('a batch'),
    'view',
    a.at
from
    (
        values
        ('2026-06-01 10:15Z'::timestamptz), ('2026-06-03 10:00Z'), ('2026-06-03 10:15Z')
    ) as a (at);

select is(
    tests.counters('a batch'),
    '7 view 2 apply',
    'a statement with old and new hours counts the new hour, once'
);

insert into feed.user_interactions (user_uid, listing_id, type, created_at)
select
    tests.user_uid('ann'),
    tests.listing_id('an order'),
    n.type::feed.interaction_type,
    '2026-06-01 10:00Z'
from
    (values ('dismiss'), ('share'), ('view'), ('save'), ('click'), ('apply'), ('view')) as n (type);

select is(
    tests.counters('an order'),
    '1 view 1 click 1 apply 1 save 1 share 1 dismiss',
    'at one and the same time the types count, and each once'
);

insert into feed.user_interactions (user_uid, listing_id, type, created_at)
select
    tests.user_uid('ann'),
    tests.listing_id('an order'),
    'view',
    '2026-06-01 10:00Z'
where false;

select is(
    tests.counters('an order'),
    '1 view 1 click 1 apply 1 save 1 share 1 dismiss',
    'a statement without rows counts nothing'
);

-- the poster's own
select tests.interaction('pat', 'an own', t.type)
from unnest(enum_range(null::feed.interaction_type)) as t (type);

select is(tests.counters('an own'), '', 'a poster''s own interactions never count');
select is(tests.state('pat', 'an own'), null, 'and make no state');
select is(
    (
        select count(*) from feed.user_interactions as i
        where i.listing_id = tests.listing_id('an own')
    ),
    6::bigint,
    'but the log has them'
);
select is(
    (
        select count(*) from feed.interaction_keys as k
        where k.user_uid = tests.user_uid('pat')
    ),
    14::bigint,
    'and their events have keys'
);

insert into feed.user_interactions (user_uid, listing_id, type)
values
(tests.user_uid('pat'), tests.listing_id('an own'), 'view'),
(tests.user_uid('ann'), tests.listing_id('an own'), 'view');

select is(
    tests.counters('an own'), '1 view', 'of a statement of both, the other user''s counts'
);

-- keys
select tests.interaction('ann', 'a mixture', 'view', '2026-06-01 10:00Z', 'first');

select is(
    (
        select row(k.created_at, k.payload_hash)::text
        from feed.interaction_keys as k
        where k.user_uid = tests.user_uid('ann') and k.event_id = tests.event_id('first')
    ),
    (
        select
            row(
                '2026-06-01 10:00Z'::timestamptz,
                feed.payload_hash(tests.listing_id('a mixture'), 'view', '{}')
            )::text
    ),
    'the key knows the time and the hash of what was said'
);
select
    throws_ok(
        format(
            $$select tests.interaction('ann', 'a mixture', 'view', %L, 'first')$$, n.at
        ),
        '23505',
        null,
        n.description
    )
from
    (
        values
        ('2026-06-01 10:00Z', 'the same event at the same time is refused'),
        ('2026-06-02 10:00Z', 'the same event at another time is refused'),
        ('2026-07-02 10:00Z', 'the same event in another partition is refused')
    ) as n (at, description);

select lives_ok(
    $$select tests.interaction('bob', 'a mixture', 'view', '2026-06-01 10:00Z', 'first')$$,
    'another user may use the same event_id'
);

-- what the counters must be
select is_empty('select listing_id from tests.wrong_counters', 'counters are what a recount says');
select is(
    (
        select count(*) from feed.engagement_metrics as m
        where not m.is_stale
    ),
    0::bigint,
    'every counter that changed waits for the hourly job'
);

update feed.engagement_metrics
set is_stale = false;

select tests.interaction('ann', 'a view', 'view', '2026-06-01 10:45Z');

select is(
    (
        select count(*) from feed.engagement_metrics as m
        where m.is_stale
    ),
    0::bigint,
    'what does not count leaves the counters alone'
);

select tests.interaction('ann', 'a view', 'view', '2026-06-05 10:45Z');

select results_eq(
    $$select listing_id from feed.engagement_metrics where is_stale$$,
    $$values (tests.listing_id('a view'))$$,
    'what counts marks the counters of its listing'
);

select finish();
rollback;
