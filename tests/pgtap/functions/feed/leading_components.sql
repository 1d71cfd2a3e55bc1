-- feed.leading_components: the two largest contributions

begin;
select plan(8);

create function tests.leading(contributions jsonb)
returns text[]
language sql
begin atomic
    select l.component_names
    from feed.leading_components(
            (
                select jsonb_object_agg(c.key, jsonb_build_object('contribution', c.value))
                from
                    jsonb_each(
                        '{"location": 0, "tag": 0, "engagement": 0, "recency": 0, "poster": 0,
                          "collaborative": 0, "content": 0, "poster_affinity": 0,
                          "item_similarity": 0}' || contributions
                    ) as c
            )
        ) as l;
end;

select is(
    tests.leading('{"tag": 0.1, "location": 0.2, "content": 0.05}'),
    '{location,tag}',
    'the two largest lead, the largest first'
);
select is(
    tests.leading('{"content": 0.3, "location": 0.2, "poster": 0.25}'),
    '{content,poster}',
    'whichever they are'
);
select is(tests.leading('{"collaborative": 0.01}'), '{collaborative}', 'a single one leads alone');
select is(tests.leading('{}'), null, 'none leads where none contributes');
select is(
    tests.leading('{"content": 0.1, "engagement": 0.1, "recency": 0.1}'),
    '{engagement,recency}',
    'equal ones go in the order of the formula'
);
select is(
    tests.leading('{"item_similarity": 0.1, "poster_affinity": 0.1, "content": 0.1}'),
    '{content,poster_affinity}',
    'those that not every profile weighs come last'
);
select is(
    tests.leading('{"poster": 0.1, "recency": 9e-2}'),
    '{poster,recency}',
    'numbers are compared, not their digits'
);
select is(
    (select count(*) from feed.leading_components('{}')),
    1::bigint,
    'there is always one row'
);

select finish();
rollback;
