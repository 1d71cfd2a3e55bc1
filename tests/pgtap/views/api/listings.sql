-- api.listings and its trigger: everybody reads, a poster writes their own

begin;
select plan(37);

select tests.listing(
    'bicycle', poster => 'pat', tags => '{bike}', lat => 47, lon => 8, created_at => '2026-01-01'
);
select tests.listing('kayak', poster => 'quin');
select tests.listing('nobodys');

select tests.act_as('pat');

select results_eq(
    'select title, lat, lon from api.listings order by title',
    $$
    values
    ('bicycle', 47::double precision, 8::double precision), ('kayak', null, null),
    ('nobodys', null, null)
    $$,
    'everybody sees every listing'
);

-- change
update api.listings
set
    title = 'A bicycle', description = 'fast', lat = 46, lon = 7, tags = array[' Ski', 'BIKE'],
    compensation = 3.5, currency = 'CHF', expires_at = '2030-01-01Z', attributes = '{"a": 1}',
    external_id = 'b-1', url = 'https://example.org', image_url = 'https://example.org/i'
where listing_id = tests.listing_id('bicycle');

select is(
    (
        select to_jsonb(l) - 'listing_id' - 'poster_uid'
        from api.listings as l
        where l.listing_id = tests.listing_id('bicycle')
    ),
    '{"title": "A bicycle", "description": "fast", "lat": 46, "lon": 7, "tags": ["bike", "ski"],
      "compensation": 3.50, "currency": "CHF", "expires_at": "2030-01-01T00:00:00+00:00",
      "attributes": {"a": 1}, "external_id": "b-1", "url": "https://example.org",
      "image_url": "https://example.org/i", "status": "open",
      "created_at": "2026-01-01T00:00:00+00:00"}'::jsonb,
    'a poster changes every field of theirs, but for what is set once'
);
select results_eq(
    $$
    update api.listings set tags = array['B', 'a'] where listing_id = tests.listing_id('bicycle')
    returning tags
    $$,
    $$values ('{a,b}'::text[])$$,
    'the answer shows the normal form'
);

update api.listings
set lat = null, lon = null, tags = null, attributes = null, status = null
where listing_id = tests.listing_id('bicycle');

select is(
    (
        select row(l.lat, l.lon, l.tags, l.attributes, l.status)::text
        from api.listings as l
        where l.listing_id = tests.listing_id('bicycle')
    ),
    '(,,{},{},open)',
    'null clears, or brings the default back'
);
select results_eq(
    $$update api.listings set status = 'closed' where listing_id = tests.listing_id('bicycle')
    returning status::text$$,
    $$values ('closed')$$,
    'a poster closes their listing'
);

select
    is_refused(
        format(
            'update api.listings set %s where listing_id = tests.listing_id(%L)',
            c.change,
            c.listing
        ),
        c.state,
        c.message,
        c.description
    )
from
    (
        values
        (
            'title = ''mine''',
            'kayak',
            'PT403',
            'somebody else',
            'another''s listing is not changed'
        ),
        ('title = ''mine''', 'nobodys', 'PT403', 'somebody else', 'nor one that is nobody''s'),
        ('title = null', 'bicycle', 'PT400', 'title is missing', 'the title stays'),
        ('created_at = now()', 'bicycle', 'PT400', 'set once', 'nobody renews a listing'),
        ('poster_uid = null', 'bicycle', 'PT400', 'set once', 'nor hands it on'),
        (
            'poster_uid = tests.user_uid(''quin'')', 'bicycle', 'PT400', 'set once', 'to anybody'
        ),
        (
            'listing_id = gen_random_uuid()', 'bicycle', 'PT400', 'set once', 'nor renames it'
        ),
        ('lat = 3', 'bicycle', 'PT400', 'go together', 'half a place'),
        ('compensation = -1', 'bicycle', '23514', 'is_not_negative', 'negative pay'),
        ('currency = ''x''', 'bicycle', '23514', 'iso_4217', 'no currency'),
        ('title = '' ''', 'bicycle', '23514', 'title_has', 'a blank title'),
        ('url = ''javascript:x''', 'bicycle', '23514', 'url_is_http', 'a script for a url'),
        ('attributes = ''[]''', 'bicycle', '23514', 'attributes_are', 'attributes in a list'),
        (
            'attributes = jsonb_build_object(''a'', repeat(''x'', 16384))',
            'bicycle', '23514', 'at_most_16_kilobytes', 'attributes for a whole page'
        ),
        (
            'tags = array(select ''tag'' || n from generate_series(1, 3000) as n)',
            'bicycle', 'PT400', '16384 bytes', 'tags for one'
        )
    ) as c (change, listing, state, message, description);

-- post
insert into api.listings (listing_id, title, tags, lat, lon)
values (tests.listing_id('tent'), 'A tent', array['Camp '], 47, 8);

select is(
    (
        select to_jsonb(l)
        from api.listings as l
        where l.listing_id = tests.listing_id('tent')
    ),
    jsonb_build_object(
        'listing_id', tests.listing_id('tent'),
        'poster_uid', tests.user_uid('pat'),
        'external_id', null,
        'title', 'A tent',
        'description', null,
        'url', null,
        'image_url', null,
        'attributes', '{}'::jsonb,
        'tags', '["camp"]'::jsonb,
        'lat', 47,
        'lon', 8,
        'compensation', null,
        'currency', null,
        'status', 'open',
        'created_at', now(),
        'expires_at', null
    ),
    'a poster posts with a title, in their own name, now'
);
select results_eq(
    $$
    insert into api.listings (title, created_at) values ('from the past', '2020-01-01')
    returning created_at, poster_uid, status::text, tags, attributes, listing_id is null
    $$,
    $$values (now(), tests.user_uid('pat'), 'open', '{}'::text[], '{}'::jsonb, false)$$,
    'created_at is the server''s, and the answer shows what was set'
);
select lives_ok(
    $$insert into api.listings (title, poster_uid) values ('said', tests.user_uid('pat'))$$,
    'my own poster_uid may be said'
);
select
    is_refused(
        format('insert into api.listings (%s) values (%s)', c.columns, c.row),
        c.state,
        c.message,
        c.description
    )
from
    (
        values
        (
            'title, poster_uid',
            '''x'', tests.user_uid(''quin'')',
            'PT403',
            'as themselves only',
            'nobody posts in another''s name'
        ),
        ('tags', '''{a}''', 'PT400', 'title is missing', 'nor without a title'),
        ('title, lat', '''x'', 3', 'PT400', 'go together', 'nor at half a place'),
        (
            'title, listing_id',
            '''x'', tests.listing_id(''kayak'')',
            '23505',
            'listings_pkey',
            'nor under an id that is taken'
        )
    ) as c (columns, row, state, message, description);
select throws_ok(
    $$delete from api.listings where listing_id = tests.listing_id('tent')$$,
    '42501',
    null,
    'nothing is deleted: a listing is closed'
);

-- somebody new
select tests.act_as('stranger');

select lives_ok(
    $$insert into api.listings (title, listing_id) values ('first', tests.listing_id('first'))$$,
    'somebody new posts at the first call'
);

reset role;

select is(
    (
        select p.poster_uid from feed.posters as p
        where p.poster_uid = tests.user_uid('stranger')
    ),
    tests.user_uid('stranger'),
    'and is a poster from then on'
);

select tests.act('authenticated', '{"role": "authenticated"}');
select is_refused(
    $$insert into api.listings (title) values ('x')$$,
    'PT400',
    'poster_uid is missing',
    'nobody posts'
);

-- the application
select tests.act_as_service();
select lives_ok(
    $$
    insert into api.listings (title, listing_id, poster_uid)
    values ('by us', tests.listing_id('by us'), tests.user_uid('quin'))
    $$,
    'service_role posts for anybody'
);
select lives_ok(
    $$update api.listings set title = 'ours' where listing_id = tests.listing_id('kayak')$$,
    'and changes anybody''s'
);
select is(
    (
        select l.title from api.listings as l
        where l.listing_id = tests.listing_id('kayak')
    ),
    'ours',
    'really'
);
select is_refused(
    $$insert into api.listings (title) values ('x')$$,
    'PT400',
    'poster_uid is missing',
    'but must say for whom'
);

-- at once in the feeds
reset role;
select tests.user('ann');
select tests.act_as('ann');
select ok(
    exists (
        select from api.get_feed() as f
        where f.title = 'A tent'
    ),
    'a new listing is in the next feed'
);
select tests.act_as('pat');
update api.listings
set status = 'closed'
where listing_id = tests.listing_id('tent');
select tests.act_as('ann');
select ok(
    not exists (
        select from api.get_feed() as f
        where f.title = 'A tent'
    ),
    'a closed one is not'
);

select finish();
rollback;
