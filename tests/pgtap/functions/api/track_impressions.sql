-- api.track_impressions: what the feed gave, to whom it gave it, once

begin;
select plan(43);

select tests.user('ann');
select tests.user('bob');
select tests.listing('bicycle', created_at => now() - interval '1 day');
select tests.listing('kayak', created_at => now() - interval '2 days');

insert into feed.ranking_profiles (profile_name)
values ('other');

create function tests.signed(
    user_name text,
    listing text default 'bicycle',
    issued_at timestamptz default now(),
    key_no integer default 0,
    codes text default null
)
returns text
language sql
security definer
set search_path = pg_catalog, pg_temp
begin atomic
    select
        b.body || '.' || feed.ticket_signature(k.secret, tests.user_uid(signed.user_name), b.body)
    from feed.ticket_keys as k
    cross join
        lateral feed.ticket_body(
            k.key_no, tests.listing_id(signed.listing), 1, 0.5, 'default', signed.issued_at,
            signed.codes
        ) as b (body)
    where signed.key_no in (0, k.key_no)
    order by k.key_no desc
    limit 1;
end;

create function tests.microseconds(later integer)
returns text
language sql
return ((extract(epoch from now()) * 1000000)::bigint + later)::text;

-- one's own
create temporary table page (
    user_name text, rank integer, score float8, components jsonb, ticket text
);
grant all on page to public;

create function tests.tickets(user_name text)
returns text[]
language sql
return (
    select array_agg(p.ticket order by p.rank)
    from page as p
    where p.user_name = tickets.user_name
);

select tests.act_as('bob');
insert into page select 'bob', rank, score, components, ticket from api.get_feed();
select tests.act_as('ann');
insert into page select 'ann', rank, score, components, ticket from api.get_feed();

select is((select count(*) from page), 4::bigint, 'two users have two listings each');
select is((select count(distinct ticket) from page), 4::bigint, 'every row has its own ticket');
select ok((select bool_and(length(p.ticket) < 150) from page as p), 'which is short');
select is(
    api.track_impressions(tests.tickets('ann')),
    '{"received": 2, "recorded": 2, "duplicates": 0}',
    'what was shown is recorded'
);
select is(
    api.track_impressions((tests.tickets('ann'))[:1]),
    '{"received": 1, "recorded": 0, "duplicates": 1}',
    'again changes nothing, and says so'
);

reset role;

select results_eq(
    $$
    select user_uid, listing_id, position, profile_name, created_at
    from feed.feed_impressions
    order by position
    $$,
    $$
    values
    (tests.user_uid('ann'), tests.listing_id('bicycle'), 1, 'default', now()),
    (tests.user_uid('ann'), tests.listing_id('kayak'), 2, 'default', now())
    $$,
    'who, what, at which rank, by which profile, when'
);
select is_empty(
    $$
    select i.ticket
    from feed.feed_impressions as i
    left join page as p using (ticket)
    where
        abs(i.score - p.score) <= 1e-9 is not true
        or p.rank <> i.position
        or p.user_name <> 'ann'
    $$,
    'the ticket and the score are those of the row'
);
select is_empty(
    $$
    select i.ticket
    from feed.feed_impressions as i
    inner join page as p using (ticket)
    cross join lateral unnest(feed.component_names(), i.components) as n (name, value)
    where
        p.components ? n.name
        and abs(n.value - (p.components -> n.name ->> 'value')::double precision) <= 1e-5
        is not true
    $$,
    'and so are the components'
);
select is(
    (
        select count(*) from feed.feed_impressions as i
        where cardinality(i.components) = cardinality(feed.component_names())
    ),
    2::bigint,
    'all of them'
);
select is(tests.log_size(), 0::bigint, 'an impression is no interaction');
select is_empty('select from feed.user_listing_states', 'leaves no state');

select tests.act_as('ann');

select is((select count(*) from api.get_feed()), 2::bigint, 'and the listings stay in the feed');

-- twice in one call, and together with new ones
select is(
    api.track_impressions(
        array[
            tests.signed('ann', issued_at => now() - interval '1 hour'),
            tests.signed('ann', issued_at => now() - interval '1 hour'),
            tests.signed('ann', issued_at => now())
        ]
    ),
    '{"received": 3, "recorded": 1, "duplicates": 2}',
    'one that comes twice in a call is one'
);

reset role;

select results_eq(
    $$
    select created_at, components from feed.feed_impressions
    where created_at < now()
    $$,
    $$values (now() - interval '1 hour', null::real[])$$,
    'a ticket of before the components were in it is as good, and says nothing of them'
);

select tests.act_as('ann');

-- forged, expired, another's
select
    is_refused(
        format('select api.track_impressions(%L)', c.tickets), c.state, c.message, c.description
    )
from
    (
        select
            array[tests.signed('ann', 'kayak', now() - interval '1 minute'), b.ticket] as tickets,
            b.state,
            b.message,
            b.description
        from
            (
                values
                (null, 'PT400', 'tickets\[1\] is no ticket', 'null is no ticket'),
                ('', 'PT400', 'tickets\[1\] is no ticket', 'nor is nothing'),
                ('1.2.3', 'PT400', 'tickets\[1\] is no ticket', 'nor something'),
                (
                    tests.signed('bob'),
                    'PT403',
                    'tickets\[1\] was not given',
                    'another''s is refused'
                ),
                (
                    replace(tests.signed('ann'), '.1.500', '.2.500'),
                    'PT403',
                    'tickets\[1\] was not given',
                    'another position is forged'
                ),
                (
                    replace(tests.signed('ann'), '.500000000.', '.500000001.'),
                    'PT403',
                    'tickets\[1\] was not given',
                    'another score'
                ),
                (
                    replace(tests.signed('ann', codes => '7fff'), '.7fff.', '.fffe.'),
                    'PT403',
                    'tickets\[1\] was not given',
                    'another component'
                ),
                (
                    replace(tests.signed('ann', codes => '7fff'), '.7fff.', '.'),
                    'PT403',
                    'tickets\[1\] was not given',
                    'one less'
                ),
                (
                    regexp_replace(tests.signed('ann'), '\.([^.]+)$', '.7fff.\1'),
                    'PT403',
                    'tickets\[1\] was not given',
                    'or one more'
                ),
                (
                    replace(tests.signed('ann'), '.default.', '.other.'),
                    'PT403',
                    'tickets\[1\] was not given',
                    'another profile'
                ),
                (
                    replace(tests.signed('ann'), tests.microseconds(0), tests.microseconds(1)),
                    'PT403',
                    'tickets\[1\] was not given',
                    'another time'
                ),
                (
                    replace(
                        tests.signed('ann'),
                        replace(tests.listing_id('bicycle')::text, '-', ''),
                        replace(tests.listing_id('kayak')::text, '-', '')
                    ),
                    'PT403',
                    'tickets\[1\] was not given',
                    'another listing'
                ),
                (
                    regexp_replace(tests.signed('ann'), '^\d+', '999'),
                    'PT403',
                    'tickets\[1\] was not given',
                    'another key'
                ),
                (
                    regexp_replace(tests.signed('ann'), '[^.]+$', repeat('A', 22)),
                    'PT403',
                    'tickets\[1\] was not given',
                    'another signature'
                ),
                (
                    tests.signed('ann', issued_at => now() - interval '24 hours'),
                    'PT400',
                    'tickets\[1\] has expired',
                    'one of a day ago has expired'
                )
            ) as b (ticket, state, message, description)
    ) as c;
select
    is_refused(
        format('select api.track_impressions(%s)', c.tickets),
        'PT400',
        'array of 1 to 1000',
        c.description
    )
from
    (
        values
        ('null', 'null is no array'),
        ($$'{}'$$, 'none are too few'),
        ($$array_fill('x'::text, array[1001])$$, '1001 are too many')
    ) as c (tickets, description);
select lives_ok(
    $$select api.track_impressions(array_fill(tests.signed('ann'), array[1000]))$$,
    '1000 are welcome'
);
select lives_ok(
    $$
    select api.track_impressions(
        array[tests.signed('ann', issued_at => now() - interval '23:59:59')]
    )
    $$,
    'and one of almost a day ago'
);

reset role;

select is(
    (select count(*) from feed.feed_impressions), 4::bigint, 'what was refused left no trace'
);

-- the operator's choice, and rotation
update feed.data_lifetimes
set ticket_lifetime = '1 hour';
insert into feed.ticket_keys default values;

select tests.act_as('ann');

select is_refused(
    $$
    select api.track_impressions(array[tests.signed('ann', issued_at => now() - interval '1 hour')])
    $$,
    'PT400',
    'has expired',
    'the operator says how long a ticket is good'
);
select isnt(
    (select split_part(ticket, '.', 1) from api.get_feed(null, 1)),
    split_part((tests.tickets('ann'))[1], '.', 1),
    'a new key signs'
);
select lives_ok(
    $$select api.track_impressions(tests.tickets('ann'))$$,
    'and the old one still verifies'
);

reset role;
delete from feed.ticket_keys
where key_no < (select max(k.key_no) from feed.ticket_keys as k);
select tests.act_as('ann');

select is_refused(
    $$select api.track_impressions(tests.tickets('ann'))$$,
    'PT403',
    'tickets\[0\] was not given',
    'until it is dropped'
);

-- who may
select tests.act_as('cid');

select is(
    api.track_impressions(array[tests.signed('cid')]) ->> 'recorded',
    '1',
    'somebody not known yet becomes known'
);
select is_refused(
    $$select api.track_impressions(array[tests.signed('ann')], tests.user_uid('ann'))$$,
    'PT403',
    'somebody else',
    'nobody records for another'
);

select tests.act_as_service();

select is(
    api.track_impressions(
        array[tests.signed('ann', issued_at => now() - interval '2 minutes')],
        tests.user_uid('ann')
    ) ->> 'recorded',
    '1',
    'but the application does'
);

select tests.act_as_nobody();

select throws_ok(
    $$select api.track_impressions('{x}')$$, '42501', null, 'and without a token nobody'
);

select finish();
rollback;
