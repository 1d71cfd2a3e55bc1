-- feed.poster_affinities: Σ interest · 2^(−age / half-life) by poster, smoothed

begin;
select plan(12);

create function tests.affinity(name text, poster text, profile text default 'default')
returns double precision
language sql
return (
    select a.score
    from feed.poster_affinities(tests.user_uid(name), profile, '2026-06-01 12:00Z') as a
    where a.poster_uid = tests.user_uid(poster)
);

select tests.user('ann');
select tests.poster(p)
from unnest(array['pat', 'quinn', 'ray']) as p;
select tests.listing(p || ' ' || n, poster => p, created_at => '2026-01-01')
from unnest(array['pat', 'quinn']) as p
cross join generate_series(1, 4) as n;
select tests.listing('ray 1', poster => 'ray', created_at => '2026-01-01');
select tests.listing('nobody''s', created_at => '2026-01-01');

select is_empty(
    $$select * from feed.poster_affinities(tests.user_uid('ann'), 'default', '2026-06-01 12:00Z')$$,
    'who chose nothing is used to nobody'
);

select tests.interaction('ann', 'nobody''s', 'apply', '2026-06-01 12:00Z');

select is_empty(
    $$select * from feed.poster_affinities(tests.user_uid('ann'), 'default', '2026-06-01 12:00Z')$$,
    'a listing without a poster makes no row'
);

select tests.interaction('ann', 'pat 1', 'apply', '2026-06-01 12:00Z');

select is_near(tests.affinity('ann', 'pat'), 0.5, 'one full choice: 1 / (1 + 1)');

select tests.interaction('ann', 'pat 2', 'apply', '2026-03-03 12:00Z');

select is_near(tests.affinity('ann', 'pat'), 0.6, 'one of 90 days ago adds half: 1.5 / 2.5');

select tests.interaction('ann', 'pat 3', 'save', '2026-06-01 12:00Z');
select tests.interaction('ann', 'pat 4', 'apply', '2026-06-01 12:00Z');
select tests.interaction('ann', 'pat 4', 'dismiss', '2026-06-01 12:00Z');

select is_near(
    tests.affinity('ann', 'pat'), 2.0 / 3, 'a save adds half: 2 / 3; a dismissal nothing'
);
select is(
    (
        select a.choice_count
        from feed.poster_affinities(tests.user_uid('ann'), 'default', '2026-06-01 12:00Z') as a
        where a.poster_uid = tests.user_uid('pat')
    ),
    3,
    'choices are counted'
);
select is(tests.affinity('ann', 'quinn'), null, 'other posters gain nothing by it');

select tests.interaction('ann', 'quinn 1', 'view', '2026-06-01 12:00Z');

select is_near(tests.affinity('ann', 'quinn'), 0.1 / 1.1, 'a view is a tenth');

insert into feed.ranking_profiles (profile_name, affinity_half_life, affinity_smoothing)
values ('loyal', '45 days', 3);

select is_near(
    tests.affinity('ann', 'pat', 'loyal'),
    1.75 / 4.75,
    'half-life and smoothing are the profile''s: (1 + 0.25 + 0.5) / (… + 3)'
);
select is_empty(
    $$select * from feed.poster_affinities(tests.user_uid('ann'), 'no such', '2026-06-01 12:00Z')$$,
    'an unknown profile has no rows'
);

select tests.interaction('ann', 'ray 1', 'apply', '1900-01-01 12:00Z')
from feed.ensure_partitions('1900-01-01', '1900-01-01');
update feed.ranking_profiles
set affinity_half_life = '1 microsecond'
where profile_name = 'loyal';

select is_near(
    tests.affinity('ann', 'ray', 'loyal'), 0, 'what is very long ago adds 0 and does not underflow'
);

insert into feed.user_feed_preferences (user_uid, personalization_enabled)
values (tests.user_uid('ann'), false);

select is_empty(
    $$select * from feed.poster_affinities(tests.user_uid('ann'), 'default', '2026-06-01 12:00Z')$$,
    'with personalization off nobody is used to anybody'
);

select finish();
rollback;
