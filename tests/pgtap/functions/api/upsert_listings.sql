-- api.upsert_listings: listings from the application that owns them

begin;
select plan(47);

create function tests.upsert(variadic items jsonb[])
returns jsonb
language sql
return api.upsert_listings(
    (
        select
            jsonb_agg(
                case jsonb_typeof(u.item)
                    when 'object' then u.item - 'name' - 'poster' else u.item
                end
                || case
                    when u.item ? 'name'
                        then jsonb_build_object('listing_id', tests.listing_id(u.item ->> 'name'))
                    else '{}'
                end
                || case
                    when u.item ? 'poster'
                        then jsonb_build_object('poster_uid', tests.user_uid(u.item ->> 'poster'))
                    else '{}'
                end
                order by u.n
            )
        from unnest(items) with ordinality as u (item, n)
    )
);

create function tests.row_of(name text)
returns jsonb
language sql
stable
security definer
return (
    select
        to_jsonb(l) - array['listing_id', 'listing_no', 'changed_xid', 'location', 'poster_uid']
        || jsonb_build_object('place', ext.st_astext(l.location))
    from feed.listings as l
    where l.listing_id = tests.listing_id(name)
);

select tests.act_as_service();

select is(
    tests.upsert(
        '{"name": "bicycle", "poster": "pat", "external_id": "b-1", "title": "A bicycle",
          "description": "fast", "url": "https://example.org/b",
          "image_url": "https://example.org/b.png", "attributes": {"colour": "red"},
          "tags": [" Jazz", "bike"], "lat": 47, "lon": 8, "compensation": 12.5,
          "currency": "CHF", "status": "open", "created_at": "2026-01-01T00:00:00Z",
          "expires_at": "2030-01-01T00:00:00Z"}',
        '{"name": "kayak", "title": "A kayak"}'
    ),
    jsonb_build_object(
        'inserted', 2,
        'updated', 0,
        'listing_ids', jsonb_build_array(tests.listing_id('bicycle'), tests.listing_id('kayak'))
    ),
    'the answer says how many are new, and their ids in the order of the batch'
);
reset role;
select is(
    tests.row_of('bicycle'),
    '{"external_id": "b-1", "title": "A bicycle", "description": "fast",
      "url": "https://example.org/b", "image_url": "https://example.org/b.png",
      "attributes": {"colour": "red"}, "tags": ["bike", "jazz"], "place": "POINT(8 47)",
      "compensation": 12.50, "currency": "CHF", "status": "open",
      "created_at": "2026-01-01T00:00:00+00:00", "expires_at": "2030-01-01T00:00:00+00:00"}'::jsonb,
    'every field is written, tags in their normal form'
);
select is(
    tests.row_of('kayak') - 'created_at',
    '{"external_id": null, "title": "A kayak", "description": null, "url": null,
      "image_url": null, "attributes": {}, "tags": [], "place": null, "compensation": null,
      "currency": null, "status": "open", "expires_at": null}'::jsonb,
    'only an id and a title are needed'
);
select is(
    (tests.row_of('kayak') ->> 'created_at')::timestamptz, now(), 'it is created when it comes'
);
select results_eq(
    'select poster_uid from feed.posters',
    $$values (tests.user_uid('pat'))$$,
    'a poster becomes known by it'
);
select tests.act_as_service();

-- again, with a part
select is(
    tests.upsert('{"name": "bicycle", "title": "The bicycle"}') - 'listing_ids',
    '{"inserted": 0, "updated": 1}',
    'what is known is changed'
);
reset role;
select is(
    tests.row_of('bicycle'),
    '{"external_id": "b-1", "title": "The bicycle", "description": "fast",
      "url": "https://example.org/b", "image_url": "https://example.org/b.png",
      "attributes": {"colour": "red"}, "tags": ["bike", "jazz"], "place": "POINT(8 47)",
      "compensation": 12.50, "currency": "CHF", "status": "open",
      "created_at": "2026-01-01T00:00:00+00:00", "expires_at": "2030-01-01T00:00:00+00:00"}'::jsonb,
    'what is left out stays'
);
select tests.act_as_service();
select lives_ok(
    $$select tests.upsert(
        '{"name": "bicycle", "description": null, "url": null, "image_url": null,
          "attributes": null, "tags": null, "lat": null, "lon": null, "compensation": null,
          "currency": null, "status": null, "expires_at": null, "created_at": null}'
    )$$,
    'null is accepted'
);
reset role;
select is(
    tests.row_of('bicycle'),
    '{"external_id": "b-1", "title": "The bicycle", "description": null, "url": null,
      "image_url": null, "attributes": {}, "tags": [], "place": null, "compensation": null,
      "currency": null, "status": "open", "created_at": "2026-01-01T00:00:00+00:00",
      "expires_at": null}'::jsonb,
    'and clears, or brings the default back; created_at stays'
);
select tests.act_as_service();
select tests.upsert('{"name": "bicycle", "created_at": "2026-05-05T00:00:00Z"}');
reset role;
select is(
    tests.row_of('bicycle') ->> 'created_at',
    '2026-01-01T00:00:00+00:00',
    'created_at is set once'
);

-- the poster's own key
select tests.act_as_service();
select is(
    tests.upsert('{"poster": "pat", "external_id": "b-1", "title": "By key"}'),
    jsonb_build_object(
        'inserted', 0,
        'updated', 1,
        'listing_ids', jsonb_build_array(tests.listing_id('bicycle'))
    ),
    'poster_uid and external_id are a key, too'
);
select is(
    tests.upsert('{"poster": "quin", "external_id": "b-1", "title": "Another"}') - 'listing_ids',
    '{"inserted": 1, "updated": 0}',
    'of each poster by itself'
);
select matches(
    (
        tests.upsert('{"poster": "quin", "external_id": "b-2", "title": "Third"}')
        -> 'listing_ids' ->> 0
    ),
    '^[0-9a-f-]{36}$',
    'a listing without an id gets one'
);
select is(
    tests.upsert(
        '{"poster": "quin", "external_id": "b-9", "title": "x"}',
        '{"poster": "quin", "external_id": "b-9", "title": "y"}'
    ) - 'listing_ids',
    '{"inserted": 1, "updated": 1}',
    'a listing may come twice in a batch'
);
reset role;
select results_eq(
    $$select title from feed.listings where external_id = 'b-9'$$,
    $$values ('y')$$,
    'the later one holds'
);

-- the same again writes nothing
select tests.act_as_service();
select tests.upsert(
    '{"name": "tent", "poster": "pat", "title": "A tent", "tags": ["ski", "alps"], "lat": 47.1,
      "lon": 8.1, "compensation": 3, "attributes": {"b": 1, "a": 2}, "currency": "EUR",
      "expires_at": "2030-01-01T00:00:00Z"}'
);
reset role;
update feed.listings
set changed_xid = '3'
where listing_id = tests.listing_id('tent');
create temporary table places as
select l.ctid as place
from feed.listings as l;
select tests.act_as_service();
select is(
    tests.upsert(
        '{"name": "tent", "poster": "pat", "title": "A tent", "tags": [" Alps", "SKI", "ski"],
          "lat": 47.1, "lon": 8.1, "compensation": 3.00, "attributes": {"a": 2, "b": 1},
          "currency": "EUR", "expires_at": "2030-01-01T01:00:00+01:00"}'
    ) - 'listing_ids',
    '{"inserted": 0, "updated": 1}',
    'the same again is accepted'
);
reset role;
select is_empty(
    'select l.ctid from feed.listings as l except select p.place from places as p',
    'and writes no row'
);
select is(
    (
        select l.changed_xid::text from feed.listings as l
        where l.listing_id = tests.listing_id('tent')
    ),
    '3',
    'so that nobody thinks it changed'
);

-- what is refused
select tests.act_as_service();
select
    is_refused(
        format('select tests.upsert(%L, %L)', '{"name": "new", "title": "new"}', c.item),
        'PT400',
        c.message,
        c.description
    )
from
    (
        values
        ('[]', '^row 1 is not an object', 'what is no object'),
        (
            '{"name": "kayak", "colour": 1}',
            '^row 1 has an unknown field "colour"',
            'an unknown field'
        ),
        (
            '{"name": "kayak", "listing_no": 1}',
            '^row 1 has an unknown field',
            'a field that is ours'
        ),
        ('{"title": "x"}', '^row 1: the listing has no key', 'a listing without a key'),
        ('{"title": "x", "poster": "pat"}', '^row 1: the listing has no key', 'half a key'),
        (
            '{"title": "x", "listing_id": "1"}',
            '^row 1: invalid input syntax for type uuid',
            'no uuid'
        ),
        ('{"name": "untitled"}', '^row 1: .*title', 'a listing without a title'),
        ('{"name": "kayak", "title": null}', '^row 1: .*title', 'whose title is taken away'),
        (
            '{"name": "kayak", "title": "  "}',
            '^row 1: broken rule: title has 1 to 300',
            'a blank title'
        ),
        (
            '{"name": "kayak", "compensation": -1}',
            '^row 1: broken rule: listing compensation is not negative',
            'negative pay'
        ),
        ('{"name": "kayak", "currency": "francs"}', '^row 1: broken rule: currency is', 'francs'),
        (
            '{"name": "kayak", "currency": "chf"}',
            '^row 1: broken rule: currency is',
            'small francs'
        ),
        ('{"name": "kayak", "lat": 4}', '^row 1: lat and lon go together', 'half a place'),
        ('{"name": "kayak", "lat": 4, "lon": 200}', '^row 1: there is no place', 'no place'),
        ('{"name": "kayak", "url": "ftp://x"}', '^row 1: broken rule: url is http', 'another url'),
        (
            '{"name": "kayak", "image_url": "x"}',
            '^row 1: broken rule: image url is http',
            'no url'
        ),
        ('{"name": "kayak", "status": "sold"}', '^row 1: invalid input value for enum', 'sold'),
        (
            '{"name": "kayak", "attributes": []}',
            '^row 1: broken rule: attributes',
            'attributes that are a list'
        ),
        ('{"name": "kayak", "tags": "a"}', '^row 1: ', 'tags that are no list'),
        ('{"name": "kayak", "expires_at": "soon"}', '^row 1: ', 'soon'),
        (
            '{"name": "future", "title": "x", "created_at": "2999-01-01T00:00:00Z"}',
            '^row 1: created_at is in the future',
            'a listing from the future'
        ),
        (
            '{"name": "bicycle", "poster": "quin"}',
            '^row 1: a listing keeps its poster',
            'another poster'
        ),
        (
            '{"name": "kayak", "poster": "quin"}',
            '^row 1: a listing keeps its poster',
            'a late poster'
        ),
        (
            '{"name": "tent", "poster": "pat", "external_id": "b-1"}',
            '^row 1: broken rule: listings external id key',
            'the key of another listing'
        )
    ) as c (item, message, description);

reset role;
select is(tests.row_of('new'), null, 'nothing of these batches was written');
select tests.act_as_service();
select is_refused(
    $$select api.upsert_listings('{}')$$, 'PT400', 'must be an array', 'an object is no batch'
);

-- at once in the feed
reset role;
select tests.user('ann');
select tests.act_as_service();
select tests.upsert('{"name": "canoe", "title": "A canoe"}');
select ok(
    exists (
        select from api.get_feed(tests.user_uid('ann')) as f
        where f.title = 'A canoe'
    ),
    'a new listing is in the next feed'
);
select tests.upsert('{"name": "canoe", "status": "closed"}');
select ok(
    not exists (
        select from api.get_feed(tests.user_uid('ann')) as f
        where f.title = 'A canoe'
    ),
    'a closed one is not'
);

reset role;
grant execute on function api.upsert_listings(jsonb) to authenticated;
select tests.act_as('pat');

select is_refused(
    $$select api.upsert_listings('[]')$$,
    'PT403',
    'for service_role only',
    'it asks for service_role itself, whatever the grants say'
);

select finish();
rollback;
