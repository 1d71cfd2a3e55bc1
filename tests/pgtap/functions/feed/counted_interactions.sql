-- feed.counted_interactions: what counts of the log, and when

begin;
select plan(11);

create function tests.counted(after timestamptz, until timestamptz)
returns setof text
language sql
as $$
    select
        format(
            '%s %s %s',
            l.title,
            c.type,
            to_char(c.counted_at at time zone 'UTC', 'DD HH24:MI')
        )
    from feed.counted_interactions(after, until) as c
    inner join feed.listings as l using (listing_id)
    order by 1
$$;

select tests.user('ann');
select tests.listing('bicycle', poster => 'pat', created_at => '2026-01-01');
select tests.interaction('ann', 'bicycle', 'view', '2026-06-01 10:00Z');
select tests.interaction('ann', 'bicycle', 'view', '2026-06-01 10:59:59Z');
select tests.interaction('ann', 'bicycle', 'view', '2026-06-01 11:00Z');

select results_eq(
    $$select tests.counted('-infinity', 'infinity')$$,
    $$values ('bicycle view 01 10:00'), ('bicycle view 01 11:00')$$,
    'one view an hour counts, at the time of the first'
);
select results_eq(
    $$select tests.counted('2026-06-01 10:00Z', 'infinity')$$,
    $$values ('bicycle view 01 11:00')$$,
    'after is exclusive, and a repetition is not counted in place of the first'
);
select results_eq(
    $$select tests.counted('2026-06-01 09:59:59.999999Z', '2026-06-01 10:59:59Z')$$,
    $$values ('bicycle view 01 10:00')$$,
    'a microsecond earlier the first is in'
);
select results_eq(
    $$select tests.counted('-infinity', '2026-06-01 11:00Z')$$,
    $$values ('bicycle view 01 10:00'), ('bicycle view 01 11:00')$$,
    'until is inclusive'
);
select results_eq(
    $$select tests.counted('-infinity', '2026-06-01 10:59:59.999999Z')$$,
    $$values ('bicycle view 01 10:00')$$,
    'until ends there'
);

delete from feed.user_interactions;

select tests.interaction('ann', 'bicycle', t.type::feed.interaction_type, a.at)
from unnest(array['apply', 'save', 'dismiss']) as t (type)
cross join unnest(
    array[
        '2026-06-03 10:00Z'::timestamptz, '2026-06-01 10:00Z', '2026-06-05 10:00Z'
    ]
) as a (at);

select results_eq(
    $$select tests.counted('-infinity', 'infinity')$$,
    $$
    values
    ('bicycle apply 01 10:00'),
    ('bicycle dismiss 01 10:00'),
    ('bicycle save 01 10:00')
    $$,
    'of apply, save and dismiss the earliest ever counts'
);
select is_empty(
    $$select tests.counted('2026-06-02', 'infinity')$$,
    'and no later one, whatever the window'
);

delete from feed.user_interactions;
select tests.interaction('ann', 'bicycle', 'click', '2026-06-01 10:10Z');
select tests.interaction('ann', 'bicycle', 'share', '2026-06-01 10:20Z');
select tests.interaction('ann', 'bicycle', 'view', '2026-06-01 10:30Z');

select results_eq(
    $$select tests.counted('-infinity', 'infinity')$$,
    $$
    values
    ('bicycle click 01 10:10'),
    ('bicycle share 01 10:20'),
    ('bicycle view 01 10:30')
    $$,
    'each type counts by itself'
);

delete from feed.user_interactions;
select tests.user('bob');
select tests.listing('kayak');
select tests.interaction('ann', 'bicycle', 'view', '2026-06-01 10:10Z');
select tests.interaction('bob', 'bicycle', 'view', '2026-06-01 10:20Z');
select tests.interaction('ann', 'kayak', 'view', '2026-06-01 10:30Z');

select results_eq(
    $$select tests.counted('-infinity', 'infinity')$$,
    $$
    values
    ('bicycle view 01 10:10'),
    ('bicycle view 01 10:20'),
    ('kayak view 01 10:30')
    $$,
    'each user and each listing counts by itself'
);

delete from feed.user_interactions;

select tests.interaction('pat', 'bicycle', t.type)
from unnest(enum_range(null::feed.interaction_type)) as t (type);

select is_empty(
    $$select tests.counted('-infinity', 'infinity')$$, 'a poster''s own never count'
);

select tests.interaction('pat', 'kayak', 'view', '2026-06-01 10:30Z');

select results_eq(
    $$select tests.counted('-infinity', 'infinity')$$,
    $$values ('kayak view 01 10:30')$$,
    'what a poster does with a listing of others does'
);

select finish();
rollback;
