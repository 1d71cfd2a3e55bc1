-- feed.collaborative_scores: Σ sim·a / Σ sim over the neighbors

begin;
select plan(20);

create function tests.collaborative_score(
    name text, listing text, as_of timestamptz default '2026-06-01 12:00Z'
)
returns double precision
language sql
return (
    select s.score
    from feed.collaborative_scores(tests.user_uid(name), 'default', as_of) as s
    where s.listing_no = tests.listing_no(listing)
);

create function tests.neighbor_count(name text, listing text)
returns integer
language sql
return (
    select s.neighbor_count
    from feed.collaborative_scores(tests.user_uid(name), 'default', '2026-06-01 12:00Z') as s
    where s.listing_no = tests.listing_no(listing)
);

select tests.user(n)
from unnest(array['ann', 'bob', 'cid', 'dan', 'eve']) as n;

select tests.listing(l, created_at => '2026-01-01')
from unnest(array['bicycle', 'kayak', 'piano', 'tent', 'sledge', 'canoe', 'drum', 'oar']) as l;

select is_empty(
    $$
    select listing_no
    from feed.collaborative_scores(tests.user_uid('ann'), 'default', '2026-06-01 12:00Z')
    $$,
    'before the first training there is no row'
);

-- similarities of 0.75 and 0.25 are exact in real
select tests.neighbors('ann', '{bob,cid}', '{0.75,0.25}');

select is_empty(
    $$
    select listing_no
    from feed.collaborative_scores(tests.user_uid('ann'), 'default', '2026-06-01 12:00Z')
    $$,
    'neighbors who did nothing make no row'
);

select tests.interaction('bob', 'bicycle', 'apply', '2026-05-20 12:00Z');
select tests.interaction('cid', 'bicycle', 'save', '2026-05-20 12:00Z');
select tests.interaction('cid', 'kayak', 'view', '2026-05-20 12:00Z');
select tests.interaction('bob', 'piano', 'apply', '2026-05-20 12:00Z');
select tests.interaction('bob', 'piano', 'dismiss', '2026-05-21 12:00Z');
select tests.interaction('cid', 'piano', 'click', '2026-05-21 12:00Z');
select tests.interaction('bob', 'tent', 'apply', '2026-03-03 12:00Z');
select tests.interaction('bob', 'sledge', 'apply', '2026-03-03 12:00:00.000001Z');
select tests.interaction('bob', 'canoe', 'apply', '2026-06-01 12:00Z');
select tests.interaction('bob', 'drum', 'apply', '2026-06-01 12:00:00.000001Z');
select tests.interaction('dan', 'oar', 'apply', '2026-05-20 12:00Z');

select is_near(
    tests.collaborative_score('ann', 'bicycle'), 0.875, '0.75 · 10/10 + 0.25 · 5/10 = 0.875'
);
select is_near(
    tests.collaborative_score('ann', 'kayak'),
    0.025,
    'who did nothing with a listing counts against it: 0.25 · 1/10 over 1'
);
select is_near(
    tests.collaborative_score('ann', 'piano'),
    0.05,
    'what a neighbor dismissed is 0 for them: 0.25 · 2/10'
);
select is(tests.neighbor_count('ann', 'bicycle'), 2, 'two chose the bicycle');
select is(tests.neighbor_count('ann', 'piano'), 1, 'who dismissed it did not choose it');
select is(
    tests.collaborative_score('ann', 'tent'),
    null,
    'what happened 90 days ago to the microsecond is outside the window'
);
select is_near(
    tests.collaborative_score('ann', 'sledge'), 0.75, 'a microsecond later is inside'
);
select is_near(tests.collaborative_score('ann', 'canoe'), 0.75, 'as_of itself is inside');
select is(
    tests.collaborative_score('ann', 'drum'), null, 'what happened after as_of is outside'
);
select is(
    tests.collaborative_score('ann', 'oar'), null, 'who is no neighbor does not count'
);
select is(
    tests.collaborative_score('bob', 'bicycle'),
    null,
    'being somebody''s neighbor does not make them mine'
);

-- interest is clipped to [0,1]
update feed.interaction_weights
set weight = -1
where type = 'view';

select is_near(
    coalesce(tests.collaborative_score('ann', 'kayak'), 0),
    0,
    'a negative weight is no interest, not a negative one'
);
select is(
    tests.neighbor_count('ann', 'kayak'), 0, 'and nobody is said to have chosen it'
);

update feed.ranking_profiles
set collaborative_window = '1 day'
where profile_name = 'default';

select is(
    tests.collaborative_score('ann', 'bicycle'), null, 'the window is the profile''s'
);

update feed.ranking_profiles
set collaborative_window = '90 days'
where profile_name = 'default';

select tests.user('fay', personalization_enabled => false);
select tests.neighbors('fay', '{bob,cid}', '{0.75,0.25}');

select is(
    tests.collaborative_score('fay', 'bicycle'),
    null,
    'who has personalization off has no neighbors'
);

insert into feed.user_feed_preferences (user_uid, personalization_enabled)
values (tests.user_uid('cid'), false);

select is_near(
    tests.collaborative_score('ann', 'bicycle'),
    1,
    'who switched it off is nobody''s neighbor at once, nor in the denominator'
);

delete from feed.user_listing_states
where user_no = tests.user_no('bob');

select is(
    tests.collaborative_score('ann', 'bicycle'), null, 'what is not in the matrix does not count'
);

with other as (
    insert into ml.models (trained_at)
    values (now())
    returning model_id
)

update ml.current_model
set model_id = other.model_id
from other;

select is_empty(
    $$
    select listing_no
    from feed.collaborative_scores(tests.user_uid('ann'), 'default', '2026-06-01 12:00Z')
    $$,
    'the neighbors are those of the model in force'
);

select finish();
rollback;
