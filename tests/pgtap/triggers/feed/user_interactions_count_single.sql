-- feed.tg_user_interactions__count: a row at a time comes to what one statement of all comes to

begin;
select plan(5);

select tests.user(n) from unnest(array['ann', 'bob']) as n;
select tests.listing('one by one ' || n, poster => 'ann') from generate_series(1, 3) as n;
select tests.listing('at once ' || n, poster => 'ann') from generate_series(1, 3) as n;

-- Few pairs, types and hours, so that most rows repeat another; ann's do not count.
create temporary table written as
select
    n,
    (array['ann', 'bob', 'bob', 'bob'])[1 + n % 4] as user_name,
    1 + n % 3 as listing_number,
    (enum_range(null::feed.interaction_type))[1 + abs(hashint4(n)) % 6] as type,
    timestamptz '2026-06-01 10:00Z' + (hashint4(n * 7) & 255) * interval '1 minute' as created_at
from generate_series(1, 120) as n;

select feed.ensure_partitions('2026-06-01', '2026-06-02');

insert into feed.user_interactions (user_uid, listing_id, type, created_at)
select
    tests.user_uid(w.user_name),
    tests.listing_id('at once ' || w.listing_number),
    w.type,
    w.created_at
from written as w;

do $$
declare
    row record;
begin
    for row in select * from written order by hashint4(n) loop
        insert into feed.user_interactions (user_uid, listing_id, type, created_at)
        values (
            tests.user_uid(row.user_name),
            tests.listing_id('one by one ' || row.listing_number),
            row.type,
            row.created_at
        );
    end loop;
end;
$$;

create function tests.states(listing_names text)
returns setof jsonb
language sql
as $$
    select to_jsonb(s) - 'listing_no' || jsonb_build_object('number', n)
    from
        generate_series(1, 3) as n,
        feed.user_listing_states as s
    where s.listing_no = tests.listing_no(listing_names || ' ' || n)
    order by n, s.user_no
$$;

select isnt_empty($$select tests.states('at once')$$, 'there are pairs');
select results_eq(
    $$select tests.states('one by one')$$,
    $$select tests.states('at once')$$,
    'the pairs are the same'
);
select results_eq(
    $$select tests.counters('one by one ' || n) from generate_series(1, 3) as n$$,
    $$select tests.counters('at once ' || n) from generate_series(1, 3) as n$$,
    'the counters are the same'
);
select cmp_ok(
    (select sum(m.view_count) from feed.engagement_metrics as m),
    '<',
    (
        select count(*) * 2 from written as w
        where
            w.type = 'view'
            and w.user_name = 'bob'
    ),
    'some rows repeated another'
);
select is_empty(
    $$
    select 'a key' from ops.wrong_keys
    union all
    select 'a state' from ops.wrong_states
    union all
    select 'a counter' from ops.wrong_counters
    $$,
    'and both are what a recount finds'
);

select * from finish();
rollback;
