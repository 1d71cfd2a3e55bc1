-- api.preferences and its trigger: what the caller asked of the feed, and where they are

begin;
select plan(35);

select tests.user('ann', lat => 47, lon => 8, max_distance => 25, preferred_tags => '{bike}');
select tests.user('bob', lat => 1, lon => 1, blocked_tags => '{meat}');

-- the row, without its time
create function tests.mine()
returns jsonb
language sql
return (
    select to_jsonb(p) - 'updated_at' - 'user_uid'
    from api.preferences as p
);

select tests.act_as('ann');

select is((select count(*) from api.preferences), 1::bigint, 'there is one row');
select is(
    tests.mine(),
    '{"max_distance": 25, "preferred_tags": ["bike"], "blocked_tags": [],
      "personalization_enabled": true, "lat": 47, "lon": 8}'::jsonb,
    'it is the caller''s own'
);
select is((select p.user_uid from api.preferences as p), tests.user_uid('ann'), 'it says whose');

-- changes
update api.preferences
set max_distance = 10;

select is(
    tests.mine(),
    '{"max_distance": 10, "preferred_tags": ["bike"], "blocked_tags": [],
      "personalization_enabled": true, "lat": 47, "lon": 8}'::jsonb,
    'one field changes, the others stay'
);

select results_eq(
    $$
    update api.preferences
    set preferred_tags = array[' Jazz', 'jazz', 'Bike '], blocked_tags = array['MEAT']
    returning preferred_tags, blocked_tags
    $$,
    $$values ('{bike,jazz}'::text[], '{meat}'::text[])$$,
    'tags take their normal form, and the answer shows it'
);

update api.preferences
set lat = 46.5, lon = 7.5;

select is(
    (select row(p.lat, p.lon)::text from api.preferences as p), '(46.5,7.5)', 'the place changes'
);

update api.preferences
set
    lat = null, lon = null, max_distance = null, preferred_tags = null, blocked_tags = null,
    personalization_enabled = false;

select is(
    tests.mine(),
    '{"max_distance": null, "preferred_tags": [], "blocked_tags": [],
      "personalization_enabled": false, "lat": null, "lon": null}'::jsonb,
    'null clears'
);

update api.preferences
set personalization_enabled = null;

select is(
    tests.mine() -> 'personalization_enabled',
    'false',
    'personalization is on or off: null leaves it'
);
select is(
    (select p.updated_at from api.preferences as p), now(), 'the time of the change is known'
);

reset role;

select is(
    (
        select ext.st_astext(u.location) from feed.users as u
        where u.user_uid = tests.user_uid('bob')
    ),
    'POINT(1 1)',
    'nobody else was moved'
);
select is(
    (
        select p.blocked_tags from feed.user_feed_preferences as p
        where p.user_uid = tests.user_uid('bob')
    ),
    '{meat}',
    'nor changed'
);

-- the next feed follows
select tests.listing('bicycle', tags => '{bike}', lat => 47, lon => 8);
select tests.act_as('ann');
select is((select count(*) from api.get_feed()), 1::bigint, 'a listing is in the feed');
update api.preferences
set lat = 46, lon = 8, max_distance = 50;
select is_empty('select from api.get_feed()', 'who moves away does not see it any more');
update api.preferences
set max_distance = 200, blocked_tags = '{bike}';
select is_empty('select from api.get_feed()', 'nor who blocks its tag');
update api.preferences
set blocked_tags = '{}';
select is((select count(*) from api.get_feed()), 1::bigint, 'and then does again');

-- what is refused
select
    is_refused(
        'update api.preferences set ' || c.change, 'PT400', c.message, c.description
    )
from
    (
        values
        ('max_distance = -1', 'max_distance of -1 km is not a distance', 'a negative distance'),
        ('max_distance = 0', 'max_distance of 0 km', 'no distance'),
        ('max_distance = ''infinity''', 'max_distance of Infinity', 'an infinite one'),
        ('max_distance = ''NaN''', 'max_distance of NaN', 'one that is no number'),
        ('lat = null', 'lat and lon go together', 'half a place'),
        ('lat = 90.5', 'there is no place', 'a place off the globe'),
        ('lon = -181', 'there is no place', 'on either axis'),
        (
            'preferred_tags = ''{a,b}'', blocked_tags = ''{B}''',
            'both preferred and blocked: b',
            'a tag preferred and blocked'
        ),
        ('preferred_tags = array[null, ''a'']', 'array of strings', 'a tag that is null'),
        (
            'user_uid = tests.user_uid(''bob'')', 'user_uid cannot be changed', 'another user_uid'
        ),
        ('user_uid = null', 'user_uid cannot be changed', 'no user_uid')
    ) as c (change, message, description);

select is(
    tests.mine(),
    '{"max_distance": 200, "preferred_tags": [], "blocked_tags": [],
      "personalization_enabled": false, "lat": 46, "lon": 8}'::jsonb,
    'none of it was written'
);

-- somebody new
select tests.act_as('stranger');

select is(
    tests.mine(),
    '{"max_distance": null, "preferred_tags": [], "blocked_tags": [],
      "personalization_enabled": true, "lat": null, "lon": null}'::jsonb,
    'somebody new sees the defaults'
);
select is(tests.user_no('stranger'), null, 'and is not made known by looking');

update api.preferences
set max_distance = 5, lat = 47, lon = 8;

select is(
    tests.mine(),
    '{"max_distance": 5, "preferred_tags": [], "blocked_tags": [],
      "personalization_enabled": true, "lat": 47, "lon": 8}'::jsonb,
    'but by the first change'
);
select isnt(tests.user_no('stranger'), null, 'from which on they have a number');

-- nobody, and rows that are not made or deleted
select tests.act('authenticated', '{"role": "authenticated"}');
select is_empty('select from api.preferences', 'nobody has none');
select tests.act_as('ann');
select throws_ok(
    $$insert into api.preferences (user_uid) values (tests.user_uid('cid'))$$,
    null,
    null,
    'rows are not inserted'
);
select throws_ok('delete from api.preferences', null, null, 'nor deleted');
select tests.act_as_nobody();
select throws_ok('select from api.preferences', '42501', null, 'without a token there is nothing');

select finish();
rollback;
