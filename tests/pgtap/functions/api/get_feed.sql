-- api.get_feed: limits, order, exclusions, rights

begin;
select plan(57);

select tests.user('ann', lat => 47, lon => 8, preferred_tags => '{bike,jazz}');
select tests.user('bob');
select
    tests.listing(
        'listing ' || to_char(n, 'FM000'),
        created_at => now() - n * interval '1 hour'
    )
from generate_series(1, 205) as n;

select tests.act_as('ann');

select is((select count(*) from api.get_feed()), 200::bigint, 'without limit there are 200');
select is(
    (select count(*) from api.get_feed(null, 200)), 200::bigint, 'there can be 200'
);
select is((select count(*) from api.get_feed(null, 1)), 1::bigint, 'there can be 1');
select is_refused(c.query, 'PT400', 'limit must be a number from 1 to 200', c.description)
from
    (
        values
        ('select from api.get_feed(null, 0)', 'a limit of 0 is refused'),
        ('select from api.get_feed(null, 201)', 'a limit of 201 is refused'),
        ('select from api.get_feed("limit" => -1)', 'a limit of -1 is refused'),
        ('select from api.get_feed("limit" => null)', 'a null limit is refused')
    ) as c (query, description);

select results_eq(
    'select rank, title from api.get_feed(null, 3)',
    $$values (1, 'listing 001'), (2, 'listing 002'), (3, 'listing 003')$$,
    'rank counts from 1, the best first'
);
select ok(
    (
        select bool_and(g.score >= g.next_score)
        from (
            select
                f.score,
                lead(f.score, 1, 0::double precision) over (order by f.rank) as next_score
            from api.get_feed() as f
        ) as g
    ),
    'scores fall with the rank'
);

-- the next page
select results_eq(
    $$
    select rank, title
    from api.get_feed(
        "limit" => 2,
        exclude => array[tests.listing_id('listing 001'), tests.listing_id('listing 003')]
    )
    $$,
    $$values (1, 'listing 002'), (2, 'listing 004')$$,
    'what is excluded is not shown again'
);
select results_eq(
    $$select title from api.get_feed("limit" => 1, exclude => array[null::uuid])$$,
    $$values ('listing 001')$$,
    'a null in exclude excludes nothing'
);
select results_eq(
    $$select title from api.get_feed("limit" => 1, exclude => null)$$,
    $$values ('listing 001')$$,
    'nor does exclude being null'
);
select results_eq(
    $$select title from api.get_feed("limit" => 1, exclude => array[gen_random_uuid()])$$,
    $$values ('listing 001')$$,
    'nor what there is not'
);
select lives_ok(
    $$
    select from api.get_feed(
        exclude => array(select gen_random_uuid() from generate_series(1, 1000))
    )
    $$,
    'a thousand may be excluded'
);
select is_refused(
    $$
    select from api.get_feed(
        exclude => array(select gen_random_uuid() from generate_series(1, 1001))
    )
    $$,
    'PT400',
    'more than 1000',
    'no more'
);

-- whose feed
select is_empty(
    $$
    select title from api.get_feed(tests.user_uid('ann'))
    except
    select title from api.get_feed()
    $$,
    'my own user_uid may be said'
);
select is_refused(
    $$select from api.get_feed(tests.user_uid('bob'))$$,
    'PT403',
    'somebody else''s data',
    'another''s may not'
);
select is_refused(
    $$select from api.get_feed(tests.user_uid('no such user'))$$,
    'PT403',
    'somebody else''s data',
    'whether there is such a user is not told'
);
select is_refused(
    $$select from api.get_feed(profile => 'default')$$,
    'PT403',
    'service_role only',
    'a user does not choose the profile'
);
select is_refused(
    $$select from api.get_feed(as_of => now())$$,
    'PT403',
    'service_role only',
    'nor the time'
);

select tests.act_as('stranger');

select is(
    (select count(*) from api.get_feed()), 200::bigint, 'somebody new has a feed at the first call'
);

select tests.act('authenticated', '{"role": "authenticated"}');

select is_refused(
    $$select from api.get_feed()$$, 'PT401', 'nobody is signed in', 'without a sub there is none'
);

select tests.act_as_nobody();

select throws_ok(
    $$select from api.get_feed()$$, '42501', null, 'without a token it cannot be called'
);

select tests.act_as_service();

select is_empty(
    $$
    select f.title from api.get_feed(tests.user_uid('ann')) as f
    except
    select f.title from api.get_feed(tests.user_uid('ann'), profile => 'default') as f
    $$,
    'service_role names the user and the profile'
);
select results_eq(
    $$
    select f.title
    from api.get_feed(tests.user_uid('ann'), as_of => now() - interval '204 hours') as f
    $$,
    $$values ('listing 204'), ('listing 205')$$,
    'and the time'
);
select is_refused(
    $$select from api.get_feed()$$, 'PT400', 'user_uid is missing', 'it must name the user'
);
select is_refused(
    $$select from api.get_feed(tests.user_uid('no such user'))$$,
    'PT404',
    'there is no user',
    'who must be known'
);
select is_refused(
    $$select from api.get_feed(tests.user_uid('ann'), profile => 'no such')$$,
    'PT404',
    'no ranking profile "no such"',
    'the profile must exist'
);

reset role;
insert into feed.ranking_profiles (profile_name, evaluation, is_offered)
values ('lost', '{}', false);
select tests.act_as_service();
select is_refused(
    $$select from api.get_feed(tests.user_uid('ann'), profile => 'lost')$$,
    'PT409',
    'not offered',
    'and be offered'
);
reset role;
update feed.ranking_profiles set is_offered = true
where profile_name = 'lost';
select tests.act_as_service();
select isnt_empty(
    $$select from api.get_feed(tests.user_uid('ann'), profile => 'lost')$$,
    'as somebody may decide by hand'
);

-- what a row holds
reset role;
select tests.poster('pat', 4.5, 10, 4, 3);
select tests.listing(
    'bicycle',
    poster => 'pat',
    tags => '{bike,jazz,ski}',
    lat => 47.01,
    lon => 8,
    compensation => 12.5,
    currency => 'CHF',
    created_at => now(),
    expires_at => now() + interval '1 year',
    external_id => 'b-1'
);
update feed.listings
set
    description = 'fast',
    url = 'https://example.org/b',
    image_url = 'https://example.org/b.png',
    attributes = '{"colour": "red"}'
where listing_id = tests.listing_id('bicycle');

select tests.act_as('ann');

select is(
    (
        select to_jsonb(f) - array['score', 'components', 'distance_km', 'ticket']
        from api.get_feed(null, 1) as f
    ),
    jsonb_build_object(
        'rank', 1,
        'listing_id', tests.listing_id('bicycle'),
        'poster_uid', tests.user_uid('pat'),
        'external_id', 'b-1',
        'title', 'bicycle',
        'description', 'fast',
        'url', 'https://example.org/b',
        'image_url', 'https://example.org/b.png',
        'attributes', '{"colour": "red"}'::jsonb,
        'tags', '["bike", "jazz", "ski"]'::jsonb,
        'lat', 47.01,
        'lon', 8,
        'compensation', 12.5,
        'currency', 'CHF',
        'created_at', to_jsonb(now()),
        'expires_at', to_jsonb(now() + interval '1 year'),
        'reason', '1.1 km away; 2 of 3 tags are yours'
    ),
    'a row holds the listing and its reason'
);
select is_near(
    (select f.distance_km from api.get_feed(null, 1) as f),
    1.1119508,
    'its distance',
    1e-6
);
select is(
    (select f.components -> 'tag' from api.get_feed(null, 1) as f),
    '{"value": 0.6666666666666666, "weight": 0.2, "contribution": 0.13333333333333333}'::jsonb,
    'each component with its value, weight and contribution'
);
select results_eq(
    $$
    select k
    from api.get_feed(null, 1) as f
    cross join lateral jsonb_object_keys(f.components) as k
    order by k collate "C"
    $$,
    $$
    values
    ('collaborative'), ('content'), ('engagement'), ('location'), ('poster'), ('recency'),
    ('tag')
    $$,
    'all seven of them'
);
select ok(
    (
        select abs(f.score - sum((c.value ->> 'contribution')::double precision)) < 1e-12
        from api.get_feed(null, 1) as f
        cross join lateral jsonb_each(f.components) as c
        group by f.score
    ),
    'the contributions sum to the score'
);

-- freshness: from the next statement on
select tests.interaction('ann', 'bicycle', 'dismiss', event => 'no bicycle');

select is_empty(
    $$select from api.get_feed() where title = 'bicycle'$$, 'what I dismissed is gone at once'
);

select tests.undo('no bicycle');

select is(
    (select f.title from api.get_feed(null, 1) as f),
    'bicycle',
    'and back when the dismissal is undone'
);

reset role;
update feed.listings
set status = 'closed'
where title = 'bicycle';
select tests.act_as('ann');

select is_empty(
    $$select from api.get_feed() where title = 'bicycle'$$, 'what is closed is gone at once'
);

reset role;
update feed.listings
set status = 'open'
where title = 'bicycle';
insert into feed.user_feed_preferences (user_uid, max_distance)
values (tests.user_uid('bob'), 1);
update feed.user_feed_preferences
set blocked_tags = '{ski}'
where user_uid = tests.user_uid('ann');
select tests.act_as('ann');

select is_empty(
    $$select from api.get_feed() where title = 'bicycle'$$, 'what has a blocked tag is gone at once'
);

-- ties: equal to 1e-9
reset role;
delete from feed.listings
where poster_uid is null;
select tests.listing('older', created_at => '2026-05-31 12:00:00Z');
select tests.listing('newer', created_at => '2026-05-31 12:00:01Z');
select tests.engagement('newer', engagement_score => 0.25);
-- what a second of age costs, and 2e-10 more: the older one scores higher by 3e-11
select tests.engagement(
    'older',
    engagement_score => 0.25 + (
        0.1 * (1 - power(0.5, 1.0 / 604800)) * power(0.5, 86399.0 / 604800) / 0.15
    ) + 2e-10
);
select tests.listing('same ' || n, created_at => '2026-05-20 12:00Z')
from generate_series(1, 5) as n;
select tests.act_as_service();

select ok(
    (
        select o.score > n.score and o.score < n.score + 1e-9
        from api.get_feed(tests.user_uid('bob'), as_of => '2026-06-01 12:00Z') as o
        inner join
            api.get_feed(tests.user_uid('bob'), as_of => '2026-06-01 12:00Z') as n
            on o.title = 'older' and n.title = 'newer'
    ),
    'two scores differ by less than 1e-9, the older listing''s being higher'
);
select results_eq(
    $$
    select title
    from api.get_feed(tests.user_uid('bob'), 2, as_of => '2026-06-01 12:00Z')
    $$,
    $$values ('newer'), ('older')$$,
    'which is a tie: the newer one goes first'
);
select results_eq(
    $$
    select listing_id
    from api.get_feed(tests.user_uid('bob'), as_of => '2026-06-01 12:00Z')
    where title like 'same %'
    order by rank
    $$,
    $$select tests.listing_id('same ' || n) as id from generate_series(1, 5) as n order by id$$,
    'and among those posted at the same time the lower listing_id'
);

-- another profile
reset role;
insert into feed.ranking_profiles (
    profile_name, location_weight, tag_weight, engagement_weight, recency_weight, poster_weight,
    collaborative_weight, content_weight
)
values ('newest', 0, 0, 0, 1, 0, 0, 0);
select tests.act_as_service();

select results_eq(
    $$
    select title, score, (components -> 'recency' ->> 'weight')::numeric
    from api.get_feed(tests.user_uid('bob'), 1, 'newest', '2026-05-31 12:00:01Z')
    $$,
    $$values ('newer', 1::double precision, 1::numeric)$$,
    'a profile brings its weights'
);
select is(
    (
        select f.reason
        from api.get_feed(tests.user_uid('bob'), 1, 'newest', '2026-05-31 12:00:01Z') as f
    ),
    'posted just now',
    'and its reasons'
);

-- a profile that weighs what the user chose
reset role;
insert into feed.ranking_profiles (
    profile_name, location_weight, tag_weight, engagement_weight, recency_weight, poster_weight,
    collaborative_weight, content_weight, poster_affinity_weight, item_similarity_weight
)
values ('loyal', 0, 0, 0, 0, 0, 0, 0, 1, 0), ('habits', 0, 0, 0, 0, 0, 0, 0, 0.25, 0.75);
select tests.user('gus');
select tests.listing('old one', poster => 'pam', created_at => '2026-01-01', status => 'closed')
from tests.poster('pam');
select tests.listing('by pam', poster => 'pam', created_at => '2026-05-01');
select tests.listing('like it', created_at => '2026-05-01');
select tests.interaction('gus', 'old one', 'apply', '2026-05-31 12:00:01Z');
select tests.goes_with('old one', '{like it}', '{1}');
select tests.act_as_service();

select results_eq(
    $$
    select title, round(score::numeric, 9), components -> 'poster_affinity' ->> 'value', reason
    from api.get_feed(tests.user_uid('gus'), 1, 'loyal', '2026-05-31 12:00:01Z')
    $$,
    $$values ('by pam', 0.5, '0.5', 'you chose 1 listing of this poster')$$,
    'what the user chose of a poster counts where the profile weighs it'
);
select is(
    (
        select array_agg(k order by k)
        from api.get_feed(tests.user_uid('gus'), 1, 'loyal', '2026-05-31 12:00:01Z') as f
        cross join lateral jsonb_object_keys(f.components) as k
        where k like '%\_%'
    ),
    '{poster_affinity}',
    'and only then it is shown'
);
select results_eq(
    $$
    select title, round(score::numeric, 9), reason
    from api.get_feed(tests.user_uid('gus'), 2, 'habits', '2026-05-31 12:00:01Z')
    $$,
    $$
    values
    ('like it', 0.75, 'goes with 1 listing you chose lately'),
    ('by pam', 0.125, 'you chose 1 listing of this poster')
    $$,
    'both have their facts'
);
reset role;
insert into feed.user_feed_preferences (user_uid, personalization_enabled)
values (tests.user_uid('gus'), false);
select tests.act_as_service();

select is(
    (
        select max(f.score)
        from api.get_feed(tests.user_uid('gus'), 200, 'habits', '2026-05-31 12:00:01Z') as f
    ),
    0::double precision,
    'with personalization off they are 0'
);

-- the profile of an experiment
reset role;
create temporary table page (components jsonb, ticket text);
grant all on page to public;
insert into feed.experiments (profile_name, buckets)
select
    'newest',
    int4range(feed.bucket_of(tests.user_uid('bob')), feed.bucket_of(tests.user_uid('bob')) + 1);
select tests.act_as('bob');

select is(
    (select distinct f.components -> 'recency' -> 'weight' from api.get_feed() as f),
    '1',
    'whoever is in an experiment gets its profile'
);
select matches(
    (select f.ticket from api.get_feed(null, 1) as f), '\.newest\.', 'and tickets that say so'
);
select is(
    (
        select api.explain_listing(f.listing_id) ->> 'profile'
        from api.get_feed(null, 1) as f
    ),
    'newest',
    'it is what explains a listing'
);

select tests.act_as('ann');

select is(
    (select distinct f.components -> 'recency' -> 'weight' from api.get_feed() as f),
    '0.1',
    'others keep default'
);

select tests.act_as_service();

select is(
    (
        select distinct f.components -> 'recency' -> 'weight'
        from api.get_feed(tests.user_uid('bob'), profile => 'default') as f
    ),
    '0.1',
    'and a profile that is named is the one'
);

-- what the ticket says of the components
insert into page
select
    f.components,
    f.ticket
from api.get_feed(tests.user_uid('ann')) as f;

reset role;

select is_empty(
    $$
    select p.ticket, n.name
    from page as p
    inner join lateral feed.ticket_facts(p.ticket) as t on true
    cross join
        lateral unnest(feed.component_names(), t.components) as n (name, value)
    where
        coalesce(abs(n.value - (p.components -> n.name ->> 'value')::double precision) > 1e-5, true)
        and (n.value is null) = (p.components ? n.name)
    $$,
    'a ticket has the components of its row, in the order of their names'
);
select is_empty(
    $$
    select p.ticket
    from page as p
    where not exists (
        select from feed.ticket_facts(p.ticket) as t
        where
            cardinality(t.components) = cardinality(feed.component_names())
            and cardinality(array_remove(t.components, null))
            = (select count(*) from jsonb_object_keys(p.components))
    )
    $$,
    'and all of them'
);

select is(
    (
        select p.provolatile
        from pg_proc as p
        where p.oid = 'api.get_feed'::regproc
    ),
    's',
    'it is stable: it reads in one snapshot, and GET may call it'
);

reset role;
update feed.listings
set status = 'closed';
select tests.act_as('ann');

select is_empty('select from api.get_feed()', 'a world without open listings has an empty feed');

select finish();
rollback;
