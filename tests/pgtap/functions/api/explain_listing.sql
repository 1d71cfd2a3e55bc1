-- api.explain_listing: why a listing stands where it does, or why it is not in the feed

begin;
select plan(30);

select tests.user('ann', lat => 47, lon => 8, max_distance => 50, preferred_tags => '{bike,jazz}');
select tests.user('bob');
select tests.listing('bicycle', poster => 'pat', tags => '{bike,ski}', lat => 47, lon => 8);
select tests.listing('kayak', created_at => now() - interval '3 days');

select tests.act_as('ann');

select results_eq(
    $$select k from jsonb_object_keys(api.explain_listing(tests.listing_id('bicycle'))) as k
    order by k collate "C"$$,
    $$
    values
    ('as_of'), ('components'), ('distance_km'), ('facts'), ('in_feed'), ('listing_id'),
    ('profile'), ('reason'), ('removed_by'), ('score'), ('title')
    $$,
    'an explanation has these parts'
);
select is(
    api.explain_listing(tests.listing_id('bicycle')) -> 'in_feed', 'true', 'it is in the feed'
);
select is(
    api.explain_listing(tests.listing_id('bicycle')) -> 'removed_by', '[]', 'no rule removes it'
);
select is(
    (
        select (e -> 'components') - array['recency', 'poster_affinity', 'item_similarity']
        from api.explain_listing(tests.listing_id('bicycle')) as e
    ),
    (
        select f.components - 'recency'
        from api.get_feed() as f
        where f.title = 'bicycle'
    ),
    'its components are those of the feed'
);
select is(
    (
        select (e -> 'components') #> '{item_similarity}'
        from api.explain_listing(tests.listing_id('bicycle')) as e
    ),
    '{"value": 0, "weight": 0, "contribution": 0}',
    'and those that weigh nothing'
);
select is(
    api.explain_listing(tests.listing_id('bicycle')) ->> 'reason',
    (
        select f.reason from api.get_feed() as f
        where f.title = 'bicycle'
    ),
    'its reason is that of the feed'
);
select is_near(
    (api.explain_listing(tests.listing_id('bicycle')) ->> 'score')::double precision,
    (
        select f.score from api.get_feed() as f
        where f.title = 'bicycle'
    ),
    'and so is its score',
    1e-6
);
select ok(
    (
        select
            abs(
                (e ->> 'score')::double precision
                - (
                    select sum((c.value ->> 'contribution')::double precision)
                    from jsonb_each(e -> 'components') as c
                )
            ) < 1e-12
        from api.explain_listing(tests.listing_id('bicycle')) as e
    ),
    'the contributions sum to it'
);
select is(
    api.explain_listing(tests.listing_id('kayak')) -> 'facts',
    '{"location": "not tied to a place", "tag": "0 of 0 tags are yours",
      "engagement": "nobody has seen it yet", "recency": "posted 3 days ago",
      "poster": "poster unknown",
      "collaborative": "0 users with a taste like yours chose it",
      "content": "0 % like what you chose before",
      "poster_affinity": "poster unknown",
      "item_similarity": "goes with 0 listings you chose lately"}'::jsonb,
    'there is a fact for every component'
);

-- every rule that removes it
reset role;
select
    tests.listing(
        n.name, n.poster, n.tags, n.lat, n.lon, null, null, n.status, n.created_at, n.expires_at
    )
from
    (
        values
        (
            'closed', null, '{}'::text[], null, null, 'closed'::feed.listing_status, now(),
            null::timestamptz
        ),
        ('expired', null, '{}', null, null, 'open', now() - interval '2 days', now()),
        ('not_yet_created', null, '{}', null, null, 'open', now() + interval '1 day', null),
        ('own_listing', 'ann', '{}', null, null, 'open', now(), null),
        ('blocked_tag', null, '{meat}', null, null, 'open', now(), null),
        ('too_far', null, '{}', 48.0, 8.0, 'open', now(), null),
        ('applied', null, '{}', null, null, 'open', now() - interval '1 year', null),
        ('dismissed', null, '{}', null, null, 'open', now() - interval '1 year', null),
        ('seen_recently', null, '{}', null, null, 'open', now(), null),
        ('everything', 'ann', '{meat}', 48.0, 8.0, 'closed', now() + interval '1 day', now())
    ) as n (name, poster, tags, lat, lon, status, created_at, expires_at);
update feed.user_feed_preferences
set blocked_tags = '{meat}'
where user_uid = tests.user_uid('ann');
select tests.interaction('ann', 'applied', 'apply', now() - interval '200 days');
select tests.interaction('ann', 'dismissed', 'dismiss', now() - interval '200 days');
select tests.interaction('ann', 'seen_recently', 'view');
select tests.act_as('ann');

select
    is(
        (
            select
                row(
                    e -> 'in_feed', e -> 'removed_by' -> 0 ->> 'rule', e -> 'removed_by' -> 1
                )::text
            from api.explain_listing(tests.listing_id(n.name)) as e
        ),
        row('false'::jsonb, n.name, null::jsonb)::text,
        'the rule ' || n.name || ' is named, and no other'
    )
from
    (
        values
        ('closed'), ('expired'), ('not_yet_created'), ('own_listing'), ('blocked_tag'), ('too_far'),
        ('applied'), ('dismissed'), ('seen_recently')
    ) as n (name);

select is(
    (
        select string_agg(r ->> 'rule', ' ')
        from jsonb_array_elements(
                api.explain_listing(tests.listing_id('everything')) -> 'removed_by'
            ) as r
    ),
    'closed expired not_yet_created own_listing blocked_tag too_far',
    'all rules that remove it are named'
);
select ok(
    (
        select bool_and(r ->> 'because' ~ '\.$')
        from jsonb_array_elements(
                api.explain_listing(tests.listing_id('everything')) -> 'removed_by'
            ) as r
    ),
    'each with a sentence'
);
select is_empty(
    $$
    select l.title
    from api.listings as l
    cross join lateral api.explain_listing(l.listing_id) as e
    where (e -> 'in_feed')::boolean is distinct from exists (
        select from api.get_feed() as f where f.listing_id = l.listing_id
    )
    $$,
    'in_feed says of every listing whether it is'
);

-- who may ask
select is(
    api.explain_listing(tests.listing_id('kayak'), tests.user_uid('ann')) -> 'in_feed',
    'true',
    'my own user_uid may be said'
);
select is_refused(
    $$select api.explain_listing(tests.listing_id('kayak'), tests.user_uid('bob'))$$,
    'PT403',
    'somebody else''s data',
    'another''s may not'
);
select is_refused(
    $$select api.explain_listing(tests.listing_id('no such'))$$,
    'PT404',
    'there is no listing',
    'the listing must exist'
);
select is_refused(
    $$select api.explain_listing(null)$$, 'PT404', 'there is no listing', 'null is none'
);

select tests.act_as_service();

select is(
    api.explain_listing(tests.listing_id('applied'), tests.user_uid('ann'))
    -> 'removed_by' -> 0 ->> 'rule',
    'applied',
    'service_role asks for any user'
);
select is(
    api.explain_listing(tests.listing_id('applied'), tests.user_uid('bob')) -> 'in_feed',
    'true',
    'and the answer is that user''s'
);
select is_refused(
    $$select api.explain_listing(tests.listing_id('kayak'))$$,
    'PT400',
    'user_uid is missing',
    'it must say for whom'
);
select is_refused(
    $$select api.explain_listing(tests.listing_id('kayak'), tests.user_uid('no such'))$$,
    'PT404',
    'there is no user',
    'who must be known'
);

select tests.act_as_nobody();

select throws_ok(
    $$select api.explain_listing(tests.listing_id('kayak'))$$,
    '42501',
    null,
    'without a token it cannot be called'
);

select finish();
rollback;
