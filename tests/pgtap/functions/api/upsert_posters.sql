-- api.upsert_posters: ratings from the application that owns them

begin;
select plan(28);

create function tests.facts(name text)
returns text
language sql
stable
security definer
return (
    select
        format(
            '%s %s %s %s', coalesce(p.average_rating::text, 'none'), p.rating_count,
            p.accepted_count, p.completed_count
        )
    from feed.posters as p
    where p.poster_uid = tests.user_uid(name)
);

create function tests.upsert(item jsonb)
returns jsonb
language sql
return api.upsert_posters(
    jsonb_build_array(
        case
            when item ? 'name'
                then item
                    - 'name'
                    || jsonb_build_object('poster_uid', tests.user_uid(item ->> 'name'))
            else item
        end
    )
);

select tests.user('pat');
select tests.listing('bicycle', poster => 'quin');
select tests.act_as_service();

select is(
    tests.upsert(
        '{"name": "pat", "average_rating": 5, "rating_count": 95, "accepted_count": 9,
          "completed_count": 9}'
    ),
    '{"inserted": 1, "updated": 0}',
    'a user becomes a poster'
);
select is(tests.facts('pat'), '5 95 9 9', 'with all that was said');
select is(
    tests.upsert('{"name": "new"}'), '{"inserted": 1, "updated": 0}', 'somebody new, too'
);
select is(tests.facts('new'), 'none 0 0 0', 'of whom nothing is known');
select isnt(tests.user_no('new'), null, 'and who is a user now');
select is(
    tests.upsert('{"name": "pat", "rating_count": 96}'),
    '{"inserted": 0, "updated": 1}',
    'who is known is changed'
);
select is(tests.facts('pat'), '5 96 9 9', 'what is left out stays');
select is(
    tests.upsert('{"name": "pat", "average_rating": null}'),
    '{"inserted": 0, "updated": 1}',
    'null is accepted'
);
select is(tests.facts('pat'), 'none 96 9 9', 'and clears the rating');

reset role;

select is_near(
    (
        select p.poster_score from feed.posters as p
        where p.poster_uid = tests.user_uid('pat')
    ),
    0.5 * 0.625 + 0.3 * 10 / 11 + 0.2 * ln(10::double precision) / ln(101::double precision),
    'the score follows'
);

create temporary table places as
select p.ctid as place
from feed.posters as p;
select tests.act_as_service();
select tests.upsert('{"name": "pat", "rating_count": 96, "average_rating": null}');
select tests.upsert('{"name": "new"}');
reset role;

select is_empty(
    'select p.ctid from feed.posters as p except select p.place from places as p',
    'the same again writes no row'
);

select tests.act_as_service();
select
    is_refused(
        format('select tests.upsert(%L)', c.item), 'PT400', c.message, c.description
    )
from
    (
        values
        ('{"rating_count": 3}', 'row 0: poster_uid is missing', 'nobody'),
        ('{"poster_uid": "pat"}', 'row 0: invalid input syntax for type uuid', 'no uuid'),
        ('{"name": "pat", "score": 3}', 'row 0 has an unknown field "score"', 'an unknown field'),
        (
            '{"name": "pat", "average_rating": 5.1}',
            'row 0: broken rule: average rating is between 1 and 5',
            'a rating above 5'
        ),
        ('{"name": "pat", "average_rating": 0.9}', 'row 0: broken rule', 'a rating below 1'),
        (
            '{"name": "pat", "average_rating": "NaN"}',
            'row 0: broken rule',
            'a rating that is no number'
        ),
        (
            '{"name": "pat", "rating_count": -1}',
            'row 0: broken rule: rating count is not negative',
            'a negative count'
        ),
        (
            '{"name": "pat", "rating_count": -5}',
            'row 0: broken rule: rating count is not negative',
            'any negative count'
        ),
        (
            '{"name": "pat", "accepted_count": -2, "completed_count": -2}',
            'row 0: broken rule: accepted count is not negative',
            'of acceptances'
        ),
        (
            '{"name": "pat", "completed_count": -1}',
            'row 0: broken rule: completed count is not negative',
            'of completions'
        ),
        ('{"name": "pat", "rating_count": 1.5}', 'row 0: ', 'half a rating'),
        ('{"name": "pat", "rating_count": 3000000000}', 'row 0: ', 'a count beyond all counts'),
        (
            '{"name": "pat", "completed_count": 10}',
            'row 0: broken rule: completed is at most accepted',
            'more completed than accepted'
        )
    ) as c (item, message, description);

select is(tests.facts('pat'), 'none 96 9 9', 'nothing of it was written');

-- all or nothing, and which row it was
select is_refused(
    format(
        'select api.upsert_posters(%L)',
        (
            select
                jsonb_agg(
                    jsonb_build_object(
                        'poster_uid', gen_random_uuid(),
                        'average_rating', case when n = 7 then 9 else 4 end
                    )
                    order by n
                )
            from generate_series(0, 20) as n
        )
    ),
    'PT400',
    '^row 7: ',
    'the bad row is named by its place in the batch'
);
reset role;

select is((select count(*) from feed.posters), 3::bigint, 'and nothing of the batch was written');

grant execute on function api.upsert_posters(jsonb) to authenticated;
select tests.act_as('pat');

select is_refused(
    $$select api.upsert_posters('[]')$$,
    'PT403',
    'for service_role only',
    'it asks for service_role itself, whatever the grants say'
);

select finish();
rollback;
