-- feed.score_listings: a small world with every number worked out by hand
--
-- The random worlds, compared with another implementation, are in oracle/.

-- noqa: disable=AM04,AM09

begin;
select plan(49);

create temporary table scored as
select
    null::text as asker,
    null::text as title,
    s.*
from feed.score_listings(null) as s
limit 0;

create function tests.ask(name text, profile text default 'default')
returns void
language sql
as $$
    insert into scored
    select name, l.title, s.*
    from feed.score_listings(tests.user_uid(name), profile, '2026-06-01 12:00Z') as s
    inner join feed.listings as l using (listing_id)
$$;

create function tests.component(name text, listing text, component text)
returns double precision
language sql
return (
    select (to_jsonb(s) ->> component)::double precision
    from scored as s
    where s.asker = name and s.title = listing
);

select tests.user('ann', lat => 47, lon => 8, preferred_tags => '{bike,jazz,ski}');
select tests.user('bob');
select tests.user('cid');
select tests.poster('pat', 5, 95, 9, 9);
select tests.listing(
    'bicycle',
    poster => 'pat',
    tags => '{bike,jazz}',
    lat => 47,
    lon => 8,
    created_at => '2026-05-25 12:00Z'
);
select tests.listing('kayak', lat => 47.25, lon => 8, created_at => '2026-06-01 12:00Z');
select tests.listing('anything', tags => '{ski}', created_at => '2026-05-18 12:00Z');
select tests.listing('antipodes', lat => -47, lon => -172, created_at => '2020-01-01');
select tests.engagement('bicycle', engagement_score => 0.5, trending_score => 3);
select tests.interaction('bob', 'bicycle', 'apply', '2026-05-30 12:00Z');
select tests.interaction('cid', 'bicycle', 'view', '2026-05-30 12:00Z');
select tests.interaction('cid', 'kayak', 'save', '2026-05-30 12:00Z');
select tests.neighbors('ann', '{bob,cid}', '{0.75,0.25}');
select tests.user_vector('ann', '{1,0,0,0}', '{"golf": 1}');
select tests.listing_vector('bicycle', '{0.5,0.5,0.5,0.5}');
select tests.listing_vector('kayak', '{-0.6,0.8,0,0}');
select tests.listing('ticket', poster => 'pat', created_at => '2026-01-01');
select tests.interaction('ann', 'ticket', 'save', '2026-03-03 12:00Z');
select tests.goes_with('ticket', '{kayak}', '{0.5}');

select tests.ask('ann');

select is((select count(*) from scored), 5::bigint, 'every eligible listing is scored');
select
    is_near(
        tests.component('ann', c.listing, c.component),
        c.score,
        c.listing || ': ' || c.because,
        -- the sphere of PostGIS has a radius of 6371.00877 km
        1e-8 * greatest(1, c.score)
    )
from (
    values
    ('bicycle', 'distance_km', 0, 'no distance'),
    ('bicycle', 'location_score', 1, 'at the door'),
    ('bicycle', 'matched_tag_count', 2, 'two tags in common'),
    ('bicycle', 'tag_score', 2.0 / 3, 'two tags of three'),
    ('bicycle', 'engagement_score', 0.5, 'as the job stored it'),
    ('bicycle', 'recency_score', 0.5, 'a half-life old'),
    ('bicycle', 'poster_score', 0.8631366698883683, 'the poster''s counts'),
    ('bicycle', 'neighbor_count', 2, 'both neighbors chose it'),
    ('bicycle', 'collaborative_score', 0.775, '0.75 · 1 + 0.25 · 0.1'),
    ('bicycle', 'content_score', 0.5, 'cosine of (1,0,0,0) and (½,½,½,½)'),
    ('bicycle', 'poster_choice_count', 1, 'a ticket of this poster was chosen'),
    ('bicycle', 'poster_affinity_score', 0.2, 'a save, a half-life ago: 0.25 / 1.25'),
    ('bicycle', 'similar_choice_count', 0, 'it goes with nothing'),
    ('bicycle', 'item_similarity_score', 0, 'and scores 0'),
    (
        'bicycle',
        'score',
        0.25 * 1 + 0.20 * 2 / 3 + 0.15 * 0.5 + 0.10 * 0.5 + 0.10 * 0.8631366698883683
        + 0.10 * 0.775 + 0.10 * 0.5,
        'the weighted sum'
    ),
    ('kayak', 'distance_km', 27.79877006, 'a quarter of a degree'),
    ('kayak', 'location_score', 0.328916683, 'exp(-27.8 / 25)'),
    ('kayak', 'tag_score', 0, 'no tags'),
    ('kayak', 'engagement_score', 0, 'not scored yet'),
    ('kayak', 'recency_score', 1, 'posted at as_of'),
    ('kayak', 'poster_score', 0.4625, 'no poster'),
    ('kayak', 'collaborative_score', 0.125, '0.25 · 0.5'),
    ('kayak', 'content_score', 0, 'a cosine below 0'),
    ('kayak', 'poster_affinity_score', 0, 'no poster to be used to'),
    ('kayak', 'poster_choice_count', 0, 'nor to choose from'),
    ('kayak', 'similar_choice_count', 1, 'it goes with the ticket'),
    ('kayak', 'item_similarity_score', 0.5, 'as much as with the only choice'),
    ('anything', 'location_score', 0.5, 'remote'),
    ('anything', 'tag_score', 1.0 / 3, 'one tag of three'),
    ('anything', 'recency_score', 0.25, 'two half-lives old'),
    ('anything', 'collaborative_score', 0, 'nobody touched it'),
    ('anything', 'content_score', 0, 'it has no vector'),
    (
        'anything',
        'score',
        0.25 * 0.5 + 0.20 / 3 + 0.10 * 0.25 + 0.10 * 0.4625,
        'the weighted sum of four'
    ),
    ('antipodes', 'distance_km', 20015.1144, 'half way round'),
    ('antipodes', 'location_score', 0, 'nothing left of nearness'),
    ('antipodes', 'recency_score', 0, 'nothing left of newness')
) as c (listing, component, score, because);

select is(
    tests.component('ann', 'anything', 'distance_km'), null, 'a remote listing has no distance'
);

-- somebody who has never called
select tests.ask('nobody');

select is_near(
    tests.component('nobody', 'bicycle', 'score'),
    0.25 * 0.5 + 0.15 * 0.5 + 0.10 * 0.5 + 0.10 * 0.8631366698883683,
    'an unknown user has one half for place and nothing personal'
);

-- another profile
insert into feed.ranking_profiles (
    profile_name, location_weight, tag_weight, engagement_weight, recency_weight, poster_weight,
    collaborative_weight, content_weight, location_decay_km, unknown_location_score,
    recency_half_life, seen_window, collaborative_window, inferred_tag_count
)
values ('near', 0.9, 0, 0, 0.1, 0, 0, 0, 100, 0.25, '14 days', '0', '1 day', 0);

delete from scored;
select tests.ask('ann', 'near');

select is_near(
    tests.component('ann', 'kayak', 'score'),
    0.9 * exp(-27.79877006 / 100) + 0.1,
    'weights and decay are the profile''s',
    1e-7
);
select is_near(
    tests.component('ann', 'anything', 'score'),
    0.9 * 0.25 + 0.1 * 0.5,
    'and so are the score of an unknown place and the half-life'
);
select is_near(
    tests.component('ann', 'kayak', 'score'),
    0.9 * exp(-27.79877006 / 100) + 0.1,
    'what is not weighed adds nothing',
    1e-7
);
select is_near(
    tests.component('ann', 'bicycle', 'collaborative_score'),
    0,
    'and the window of collaboration: two days ago is out of it'
);

insert into feed.ranking_profiles (
    profile_name, location_weight, tag_weight, engagement_weight, recency_weight, poster_weight,
    collaborative_weight, content_weight, poster_affinity_weight, item_similarity_weight,
    affinity_half_life, affinity_smoothing, history_half_life
)
values ('habits', 0, 0, 0, 0, 0, 0, 0, 0.75, 0.25, '45 days', 0.25, '90 days');

delete from scored;
select tests.ask('ann', 'habits');

select is_near(
    tests.component('ann', 'bicycle', 'poster_affinity_score'),
    1.0 / 3,
    'a quarter of a save over itself and the profile''s smoothing'
);
select is_near(
    tests.component('ann', 'bicycle', 'score'), 0.25, 'what is weighed adds its contribution'
);
select is_near(
    tests.component('ann', 'kayak', 'score'),
    0.25 * 0.5,
    'for both'
);

select is_empty(
    $$select title from feed.score_listings(tests.user_uid('ann'), 'no such profile') as s
    inner join feed.listings using (listing_id)$$,
    'an unknown profile gives no rows'
);

-- with personalization off
insert into feed.user_feed_preferences (user_uid, personalization_enabled)
values (tests.user_uid('cid'), false);

update feed.user_feed_preferences
set personalization_enabled = false, preferred_tags = '{}'
where user_uid = tests.user_uid('ann');

delete from scored;
select tests.ask('ann');

select is(
    (
        select
            sum(
                s.tag_score + s.collaborative_score + s.content_score + s.poster_affinity_score
                + s.item_similarity_score
            )
        from scored as s
    ),
    0::double precision,
    'with personalization off nothing learned enters: no inferred tag, neighbor or vector'
);

update feed.user_feed_preferences
set personalization_enabled = true
where user_uid = tests.user_uid('ann');
update feed.listings
set tags = '{golf}'
where listing_id = tests.listing_id('kayak');

delete from scored;
select tests.ask('ann');

select is_near(
    tests.component('ann', 'kayak', 'tag_score'), 1, 'with it on, learned tags stand in'
);

select finish();
rollback;
