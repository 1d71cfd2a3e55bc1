-- feed.tg_user_interactions__uncount: the exact undoing of the count

begin;
select plan(48);

create function tests.is_restored(query text, undoing text, description text)
returns text
language plpgsql
as $$
declare
    before_it constant jsonb := tests.snapshot();
    between_them jsonb;
    after_it jsonb;
begin
    execute query;
    between_them := tests.snapshot();
    execute undoing;
    after_it := tests.snapshot();

    return ext.ok(between_them <> before_it and after_it = before_it, description)
        || case
            when after_it = before_it then ''
            else
                (
                    select string_agg(e'\n' || ext.diag(d.fact), '')
                    from (
                        select 'gone: ' || b.fact::text as fact
                        from jsonb_array_elements(before_it) as b (fact)
                        where not after_it @> jsonb_build_array(b.fact)
                        union all
                        select 'left: ' || a.fact::text
                        from jsonb_array_elements(after_it) as a (fact)
                        where not before_it @> jsonb_build_array(a.fact)
                    ) as d (fact)
                )
        end;
end;
$$;

create function tests.event(name text, type text, at timestamptz)
returns text
language sql
return format(
    $$select tests.interaction('ann', 'bicycle', %L, %L, %L)$$, event.type, event.at, event.name
);

select tests.user('ann');
select tests.user('bob');
select tests.listing('bicycle', poster => 'pat');
select tests.listing('kayak', poster => 'pat');
select tests.interaction('bob', 'bicycle', 'view', '2026-06-01 10:00Z');
select tests.interaction('ann', 'kayak', 'save', '2026-06-01 10:00Z');

select
    tests.is_restored(
        tests.event('only', t.type, '2026-06-01 10:00Z'),
        $$select tests.undo('only')$$,
        'the only interaction of a pair, ' || t.type || ', is undone without a trace'
    )
from unnest(enum_range(null::feed.interaction_type)::text[]) as t (type);

-- every second interaction beside every first one
select tests.interaction('ann', 'bicycle', 'view', '2026-06-01 10:30Z', 'first');

select
    tests.is_restored(
        tests.event('second', t.type, a.at),
        $$select tests.undo('second')$$,
        format('%s %s a view is undone', t.type, a.when_it_was)
    )
from unnest(enum_range(null::feed.interaction_type)::text[]) as t (type)
cross join
    (
        values
        ('2026-06-01 10:10Z'::timestamptz, 'before, in the hour of'),
        ('2026-06-01 10:50Z', 'after, in the hour of'),
        ('2026-06-01 09:10Z', 'in the hour before'),
        ('2026-06-01 12:10Z', 'after the hour of')
    ) as a (at, when_it_was);

-- the first of two
select
    tests.is_restored(
        tests.event('early', t.type, '2026-05-01 10:00Z'),
        $$select tests.undo('early')$$,
        format('a second %s that lies before the first is undone', t.type)
    )
from unnest(enum_range(null::feed.interaction_type)::text[]) as t (type)
cross join
    lateral tests.interaction(
        'ann', 'bicycle', t.type::feed.interaction_type, '2026-06-01 10:30Z'
    ) as i
where i is not null;

-- many at once
select tests.is_restored(
    $$
    insert into feed.user_interactions (user_uid, listing_id, type, created_at, metadata)
    select
        tests.user_uid(u.name), tests.listing_id(l.name), t.type,
        '2026-06-01 10:00Z'::timestamptz + h.n * interval '25 minutes', '{"mine": true}'
    from unnest(array['ann', 'bob', 'pat']) as u (name)
    cross join unnest(array['bicycle', 'kayak']) as l (name)
    cross join unnest(enum_range(null::feed.interaction_type)) as t (type)
    cross join generate_series(1, 5) as h (n)
    $$,
    $$delete from feed.user_interactions where metadata ? 'mine'$$,
    'a statement of 180 rows is undone by one statement'
);
select tests.is_restored(
    $$
    insert into feed.user_interactions (user_uid, listing_id, type, created_at, metadata)
    select
        tests.user_uid(u.name), tests.listing_id('bicycle'), t.type,
        '2026-06-01 10:00Z'::timestamptz + h.n * interval '25 minutes', '{"mine": true}'
    from unnest(array['ann', 'bob']) as u (name)
    cross join unnest(enum_range(null::feed.interaction_type)) as t (type)
    cross join generate_series(1, 3) as h (n)
    $$,
    $$
    do $do$
    declare
        row record;
    begin
        for row in
            select event_id from feed.user_interactions where metadata ? 'mine' order by event_id
        loop
            delete from feed.user_interactions where event_id = row.event_id;
        end loop;
    end;
    $do$
    $$,
    'and by as many statements, in any order'
);
select tests.is_restored(
    $$
    insert into feed.user_interactions (user_uid, listing_id, type, metadata)
    select tests.user_uid('pat'), tests.listing_id('bicycle'), t.type, '{"mine": true}'
    from unnest(enum_range(null::feed.interaction_type)) as t (type)
    $$,
    $$delete from feed.user_interactions where metadata ? 'mine'$$,
    'a poster''s own are undone, too'
);

-- what remains
delete from feed.user_interactions;
select tests.interaction('ann', 'bicycle', 'apply', '2026-06-01 10:00Z', 'apply');
select tests.interaction('ann', 'bicycle', 'view', '2026-06-02 10:00Z', 'view');
select tests.undo('apply');

select is(
    (
        select row(s.strongest_weight, s.applied_at, s.last_at)::text
        from feed.user_listing_states as s
    ),
    row(1::smallint, null::timestamptz, '2026-06-02 10:00Z'::timestamptz)::text,
    'without the application the view is the strongest'
);

select tests.undo('view');

select is_empty('select user_no from feed.user_listing_states', 'without the view nothing is');

select tests.interaction('ann', 'bicycle', 'dismiss', '2026-06-01 10:00Z', 'one');
select tests.interaction('ann', 'bicycle', 'dismiss', '2026-06-02 10:00Z', 'two');
select tests.undo('one');

select is(
    (
        select row(s.is_dismissed, s.dismissed_at)::text
        from feed.user_listing_states as s
    ),
    row(true, '2026-06-02 10:00Z'::timestamptz)::text,
    'one of two dismissals undone: still dismissed, since the other'
);
select is(tests.counters('bicycle'), '1 dismiss', 'and still counted once');

update feed.engagement_metrics
set is_stale = false;
select tests.undo('two');

select is(tests.counters('bicycle'), '', 'both undone: nothing is counted');
select ok(
    (
        select m.is_stale from feed.engagement_metrics as m
        where m.listing_id = tests.listing_id('bicycle')
    ),
    'and the hourly job is told'
);

-- the log without its old part: base keeps the counts, the state the times
delete from feed.user_interactions;
select tests.interaction('ann', 'bicycle', 'apply', '2026-04-10 10:00Z', 'april');
select tests.interaction('ann', 'bicycle', 'apply', '2026-06-10 10:00Z', 'june');
select tests.interaction('ann', 'bicycle', 'apply', '2026-07-10 10:00Z', 'july');
do $$
begin
    alter table feed.user_interactions detach partition feed.user_interactions_2026_04;
end;
$$;
insert into feed.engagement_base (listing_id, apply_count)
values (tests.listing_id('bicycle'), 1);

select is_empty(
    'select listing_id from tests.wrong_counters',
    'a partition gone into the base leaves base + recount what is counted'
);

select tests.undo('june');

select is(
    (
        select row(s.apply_count, s.applied_at)::text
        from feed.user_listing_states as s
    ),
    row(2, '2026-04-10 10:00Z'::timestamptz)::text,
    'undoing a later one leaves the first, though its row has gone'
);
select is_empty(
    'select listing_id from tests.wrong_counters', 'and base + recount is what is counted'
);

select finish();
rollback;
