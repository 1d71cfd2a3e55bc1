-- api.upsert_users: people from the application that owns them

begin;
select plan(34);

create function tests.person(name text)
returns jsonb
language sql
stable
security definer
return (
    select
        jsonb_build_object(
            'place', ext.st_astext(u.location),
            'max_distance', p.max_distance,
            'preferred', p.preferred_tags,
            'blocked', p.blocked_tags,
            'personalized', p.personalization_enabled
        )
    from feed.users as u
    left join feed.user_feed_preferences as p using (user_uid)
    where u.user_uid = tests.user_uid(person.name)
);

create function tests.upsert(variadic users jsonb[])
returns jsonb
language sql
return api.upsert_users(
    (
        select
            jsonb_agg(
                case
                    when u.item ? 'name'
                        then
                            u.item - 'name'
                            || jsonb_build_object('user_uid', tests.user_uid(u.item ->> 'name'))
                    else u.item
                end
                order by u.n
            )
        from unnest(users) with ordinality as u (item, n)
    )
);

select tests.act_as_service();

select is(
    tests.upsert(
        '{"name": "ann", "lat": 47, "lon": 8, "max_distance": 25,
          "preferred_tags": [" Jazz", "bike"], "blocked_tags": ["MEAT"],
          "personalization_enabled": false}',
        '{"name": "bob"}'
    ),
    '{"inserted": 2, "updated": 0}',
    'the answer says how many are new'
);
select is(
    tests.person('ann'),
    '{"place": "POINT(8 47)", "max_distance": 25, "preferred": ["bike", "jazz"],
      "blocked": ["meat"], "personalized": false}'::jsonb,
    'every field is written, tags in their normal form'
);
select is(
    tests.person('bob'),
    '{"place": null, "max_distance": null, "preferred": null, "blocked": null,
      "personalized": null}'::jsonb,
    'only user_uid is needed'
);
select is(
    tests.upsert('{"name": "ann", "max_distance": 30}'),
    '{"inserted": 0, "updated": 1}',
    'who is known is changed'
);
select is(
    tests.person('ann'),
    '{"place": "POINT(8 47)", "max_distance": 30, "preferred": ["bike", "jazz"],
      "blocked": ["meat"], "personalized": false}'::jsonb,
    'what is left out stays'
);
select is(
    tests.upsert(
        '{"name": "ann", "lat": null, "lon": null, "max_distance": null, "preferred_tags": null,
          "blocked_tags": null}'
    ),
    '{"inserted": 0, "updated": 1}',
    'null is accepted'
);
select is(
    tests.person('ann'),
    '{"place": null, "max_distance": null, "preferred": [], "blocked": [],
      "personalized": false}'::jsonb,
    'and clears'
);
select lives_ok(
    $$select tests.upsert(
        '{"name": "cid", "preferred_tags": ["a"]}', '{"name": "cid", "lat": 1, "lon": 2}'
    )$$,
    'a user may come twice in a batch'
);
select is(
    tests.person('cid') - 'personalized',
    '{"place": "POINT(2 1)", "max_distance": null, "preferred": ["a"], "blocked": []}'::jsonb,
    'and has what both said'
);
select is(api.upsert_users('[]'), '{"inserted": 0, "updated": 0}', 'an empty batch does nothing');

-- the same again writes nothing
reset role;
create temporary table versions as
select
    u.user_uid,
    u.ctid as user_place,
    p.ctid as preferences_place
from feed.users as u
left join feed.user_feed_preferences as p using (user_uid);
grant all on versions to public;
select tests.act_as_service();
select
    tests.upsert(
        '{"name": "cid", "preferred_tags": ["A "], "lat": 1, "lon": 2}', '{"name": "bob"}'
    );
reset role;

select is_empty(
    $$
    select u.user_uid
    from feed.users as u
    left join feed.user_feed_preferences as p using (user_uid)
    left join versions as v using (user_uid)
    where (u.ctid, p.ctid) is distinct from (v.user_place, v.preferences_place)
    $$,
    'the same again writes no row'
);

select tests.act_as_service();

-- what is refused
select
    is_refused(
        format('select tests.upsert(%L, %L, %L)', '{"name": "new"}', c.item, '{"name": "newer"}'),
        'PT400',
        c.message,
        c.description
    )
from
    (
        values
        ('{"max_distance": 3}', '^row 1: user_uid is missing', 'a user without a user_uid'),
        ('{"user_uid": null}', '^row 1: user_uid is missing', 'or with a null'),
        (
            '{"user_uid": "ann"}',
            '^row 1: invalid input syntax for type uuid',
            'or with what is none'
        ),
        ('{"name": "ann", "age": 3}', '^row 1 has an unknown field "age"', 'an unknown field'),
        ('42', '^row 1 is not an object', 'what is no object'),
        ('null', '^row 1 is not an object', 'a null'),
        ('{"name": "ann", "lat": 3}', '^row 1: lat and lon go together', 'half a place'),
        (
            '{"name": "ann", "lat": 91, "lon": 0}',
            '^row 1: there is no place',
            'a place off the globe'
        ),
        ('{"name": "ann", "lat": "x", "lon": 0}', '^row 1: invalid input', 'a place of letters'),
        (
            '{"name": "ann", "max_distance": 0}',
            '^row 1: max_distance of 0 km is not a distance',
            'a distance of 0'
        ),
        (
            '{"name": "ann", "max_distance": -1}',
            '^row 1: max_distance of -1',
            'a negative distance'
        ),
        ('{"name": "ann", "max_distance": "far"}', '^row 1: ', 'a distance of letters'),
        (
            '{"name": "ann", "preferred_tags": "jazz"}',
            '^row 1: preferred_tags must be an array of strings',
            'tags that are no array'
        ),
        (
            '{"name": "ann", "blocked_tags": [1]}',
            '^row 1: blocked_tags must be',
            'a tag that is no string'
        ),
        (
            '{"name": "ann", "blocked_tags": [null]}',
            '^row 1: blocked_tags must be',
            'a tag that is null'
        ),
        (
            '{"name": "ann", "preferred_tags": ["Jazz", "a"], "blocked_tags": ["jazz ", "b"]}',
            '^row 1: both preferred and blocked: jazz$',
            'a tag that is preferred and blocked'
        ),
        (
            '{"name": "cid", "blocked_tags": ["A"]}',
            '^row 1: both preferred and blocked: a$',
            'or becomes both'
        ),
        (
            '{"name": "ann", "personalization_enabled": "perhaps"}', '^row 1: ', 'a perhaps'
        )
    ) as c (item, message, description);

select is_empty(
    $$
    select user_uid from feed.users
    where user_uid in (tests.user_uid('new'), tests.user_uid('newer'))
    $$,
    'and nothing of those batches was written'
);
select is_refused(c.query, 'PT400', c.message, c.description)
from
    (
        values
        ($$select api.upsert_users('{}')$$, 'must be an array', 'an object is no batch'),
        ($$select api.upsert_users(null)$$, 'must be an array', 'null is no batch'),
        (
            $$select api.upsert_users(
                (select jsonb_agg('{}'::jsonb) from generate_series(1, 1001))
            )$$,
            'at most 1000',
            'a batch ends at 1000'
        )
    ) as c (query, message, description);

-- definer: it asks who calls
reset role;
grant execute on function api.upsert_users(jsonb) to authenticated;
select tests.act_as('ann');

select is_refused(
    $$select api.upsert_users('[]')$$,
    'PT403',
    'for service_role only',
    'it asks for service_role itself, whatever the grants say'
);

select finish();
rollback;
