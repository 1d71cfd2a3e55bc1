-- feed.reason: the facts of the two largest contributions

begin;
select plan(7);

create function tests.reason(contributions jsonb)
returns text
language sql
return feed.reason(
    (
        select jsonb_object_agg(c.key, jsonb_build_object('contribution', c.value))
        from
            jsonb_each(
                '{"location": 0, "tag": 0, "engagement": 0, "recency": 0, "poster": 0,
                  "collaborative": 0, "content": 0}' || contributions
            ) as c
    ),
    '{"location": "L", "tag": "T", "engagement": "E", "recency": "R", "poster": "P",
      "collaborative": "O", "content": "C"}'
);

select is(
    tests.reason('{"tag": 0.1, "location": 0.2, "content": 0.05}'),
    'L; T',
    'the two largest are named, the largest first'
);
select is(
    tests.reason('{"content": 0.3, "location": 0.2, "poster": 0.25}'),
    'C; P',
    'whichever they are'
);
select is(tests.reason('{"collaborative": 0.01}'), 'O', 'a single one stands alone');
select is(
    tests.reason('{}'), 'nothing speaks for it yet', 'without any there is nothing to say'
);
select is(
    tests.reason('{"content": 0.1, "engagement": 0.1, "recency": 0.1}'),
    'E; R',
    'equal ones go in the order of the formula'
);
select is(
    tests.reason('{"poster": 0.1, "recency": 9e-2}'),
    'P; R',
    'numbers are compared, not their digits'
);
select is(
    feed.reason(
        '{"location": {"contribution": 0.2}, "tag": {"contribution": 0.1}}',
        '{"location": "1.9 km away", "tag": "4 of 6 tags are yours"}'
    ),
    '1.9 km away; 4 of 6 tags are yours',
    'they are joined as a person would'
);

select finish();
rollback;
