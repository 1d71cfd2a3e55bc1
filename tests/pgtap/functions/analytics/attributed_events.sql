-- analytics.attributed_events: which impression an interaction came from

begin;
select plan(8);

select tests.user('ann');
select tests.user('bob');
select tests.listing('bicycle');
select tests.listing('kayak');
insert into feed.ranking_profiles (profile_name) values ('other');

create function tests.attributed(attribution_window interval default '7 days')
returns setof text
language sql
begin atomic
    select concat_ws(' ', a.day, a.profile_name, a.shown_position, a.type, a.seconds)
    from analytics.attributed_events('2026-06-08', '2026-06-09', attribution_window) as a
    order by 1;
end;

select tests.impression('ann', 'bicycle', '2026-06-01 12:00Z', 1);
select tests.interaction('ann', 'bicycle', 'click', '2026-06-08 12:00Z');

select results_eq(
    'select tests.attributed()',
    $$values ('2026-06-08 default 1 click 0')$$,
    'an impression of exactly seven days ago'
);
select is_empty(
    $$select tests.attributed('7 days'::interval - '1 microsecond'::interval)$$,
    'but not an older one'
);

select tests.impression('ann', 'bicycle', '2026-06-08 12:00:00.000001Z', 2);
select results_eq(
    'select tests.attributed()',
    $$values ('2026-06-08 default 1 click 0')$$,
    'nor one that came after'
);

select tests.impression('ann', 'bicycle', '2026-06-07 12:00Z', 7, 'other');
select results_eq(
    'select tests.attributed()',
    $$values ('2026-06-08 other 7 click 0')$$,
    'of several, the latest before it, with its profile and position'
);

select tests.impression('bob', 'bicycle', '2026-06-08 11:00Z', 3);
select tests.impression('ann', 'kayak', '2026-06-08 11:00Z', 4);
select results_eq(
    'select tests.attributed()',
    $$values ('2026-06-08 other 7 click 0')$$,
    'nobody else''s, and of no other listing'
);

select tests.interaction('ann', 'kayak', t.type, '2026-06-09 23:59:59Z')
from unnest(array['save', 'share']::feed.interaction_type[]) as t (type);
select results_eq(
    'select tests.attributed()',
    $$
    values
    ('2026-06-08 other 7 click 0'),
    ('2026-06-09 default 4 save 0'),
    ('2026-06-09 default 4 share 0')
    $$,
    'interactions of every type'
);

select
    tests.interaction(
        'ann', 'kayak', 'view', '2026-06-09 23:59:59Z', metadata => '{"seconds": 2.5}'
    );
select results_eq(
    'select tests.attributed()',
    $$
    values
    ('2026-06-08 other 7 click 0'),
    ('2026-06-09 default 4 save 0'),
    ('2026-06-09 default 4 share 0'),
    ('2026-06-09 default 4 view 2.5')
    $$,
    'a view with its seconds'
);

select tests.interaction('ann', 'kayak', 'click', '2026-06-10 00:00Z');
select results_eq(
    'select count(*) from tests.attributed()',
    'values (4::bigint)',
    'nothing of the day after'
);

select finish();
rollback;
