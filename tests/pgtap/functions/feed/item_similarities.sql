-- feed.item_similarities: the mean similarity of the latest choices, weighted by interest and age

begin;
select plan(16);

create function tests.similarity(name text, listing text, profile text default 'default')
returns double precision
language sql
return (
    select i.score
    from feed.item_similarities(tests.user_uid(name), profile, '2026-06-01 12:00Z') as i
    where i.listing_no = tests.listing_no(listing)
);

create function tests.choice_count(name text, listing text)
returns integer
language sql
return (
    select i.choice_count
    from feed.item_similarities(tests.user_uid(name), 'default', '2026-06-01 12:00Z') as i
    where i.listing_no = tests.listing_no(listing)
);

select tests.user('ann');
select tests.listing(l, created_at => '2026-01-01')
from unnest(array['bicycle', 'kayak', 'piano', 'tent', 'oar', 'drum']) as l;

select tests.interaction('ann', 'bicycle', 'apply', '2026-06-01 12:00Z');

select is_empty(
    $$select * from feed.item_similarities(tests.user_uid('ann'), 'default', '2026-06-01 12:00Z')$$,
    'before the first training nothing goes with anything'
);

-- similarities of 0.5, 0.25 and 0.75 are exact in real
select tests.goes_with('bicycle', '{oar,drum}', '{0.5,0.25}');
select tests.goes_with('kayak', '{oar}', '{0.75}');
select tests.goes_with('piano', '{drum,kayak}', '{0.5,0.5}');

select is_near(tests.similarity('ann', 'oar'), 0.5, 'of one choice the similarity itself');
select is_near(tests.similarity('ann', 'drum'), 0.25, 'for each that goes with it');
select is(tests.similarity('ann', 'tent'), null, 'what goes with nothing has no row');
select is(
    tests.similarity('ann', 'bicycle'),
    null,
    'that the oar goes with the bicycle says nothing of the bicycle: there is a direction'
);
select is(tests.choice_count('ann', 'oar'), 1, 'one choice speaks for it');

select tests.interaction('ann', 'kayak', 'save', '2025-12-03 12:00Z');

select is_near(
    tests.similarity('ann', 'oar'),
    (0.5 + 0.5 * 0.5 * 0.75) / 1.25,
    'a save of 180 days ago counts a quarter of an application today'
);
select is(tests.choice_count('ann', 'oar'), 2, 'two choices speak for it');

select tests.interaction('ann', 'piano', 'apply', '2026-06-01 12:00:00.000001Z');

select is_near(
    tests.similarity('ann', 'drum'),
    0.25 / 1.25,
    'what is chosen after as_of is not known; what does not go with it counts as 0'
);

insert into feed.ranking_profiles (profile_name, history_half_life, history_limit)
values ('one', '1 day', 1), ('two', '90 days', 2);

select is_near(
    tests.similarity('ann', 'oar', 'one'), 0.5, 'only so many of the latest choices enter'
);
select is_near(
    tests.similarity('ann', 'oar', 'two'),
    (0.5 + 0.5 * 0.25 * 0.75) / 1.125,
    'limit and half-life are the profile''s'
);

-- of the same time, and of a lower listing_no than the kayak
select tests.interaction('ann', 'tent', 'apply', '2026-06-01 12:00Z');
update feed.user_listing_states
set last_at = '2026-06-01 12:00Z'
where listing_no = tests.listing_no('kayak');

select is_near(
    tests.similarity('ann', 'oar', 'one'),
    0.5,
    'of choices of the same time the lowest listing_no is the latest'
);

select tests.interaction('ann', 'bicycle', 'dismiss', '2026-06-01 12:00Z');

select is_near(
    tests.similarity('ann', 'oar', 'one'),
    0.75,
    'what was dismissed is no choice, and takes no place among the latest'
);

-- what is gone leaves its number behind
update ml.listing_neighbors
set neighbor_nos = neighbor_nos || 2000000000, similarities = similarities || 0.5::real
where listing_no = tests.listing_no('kayak');

select lives_ok(
    $$
    select * from feed.score_listings(tests.user_uid('ann'), 'two', '2026-06-01 12:00Z')
    $$,
    'a neighbor that is no listing any more is no trouble'
);

insert into feed.user_feed_preferences (user_uid, personalization_enabled)
values (tests.user_uid('ann'), false);

select is_empty(
    $$select * from feed.item_similarities(tests.user_uid('ann'), 'default', '2026-06-01 12:00Z')$$,
    'with personalization off there is no history'
);

update feed.user_feed_preferences
set personalization_enabled = true;
with other as (
    insert into ml.models (trained_at)
    values (now())
    returning model_id
)

update ml.current_model
set model_id = other.model_id
from other;

select is_empty(
    $$select * from feed.item_similarities(tests.user_uid('ann'), 'default', '2026-06-01 12:00Z')$$,
    'what goes together is of the model in force'
);

select finish();
rollback;
