-- feed.reason: the facts of the leading components

begin;
select plan(5);

create function tests.reason(component_names text[])
returns text
language sql
begin atomic
    select
        feed.reason(
            reason.component_names,
            l,
            null,
            null,
            1.92,
            1,
            false,
            7,
            0.876,
            3,
            1,
            '2026-06-01 12:00Z'
        )
    from feed.listings as l
    where l.listing_id = tests.listing_id('bicycle');
end;

select tests.listing(
    'bicycle', tags => '{a,b,c}', lat => 47, lon => 8, created_at => '2026-05-29 11:00Z'
);

select is(
    tests.reason('{location,tag}'),
    '1.9 km away; 1 of 3 tags is yours',
    'two facts are joined as a person would'
);
select is(
    tests.reason('{content,collaborative}'),
    '88 % like what you chose before; 7 users with a taste like yours chose it',
    'the first component comes first'
);
select is(
    tests.reason('{item_similarity,poster_affinity}'),
    'goes with 1 listing you chose lately; poster unknown',
    'whichever components lead'
);
select is(tests.reason('{recency}'), 'posted 3 days ago', 'a single one stands alone');
select is(tests.reason(null), 'nothing speaks for it yet', 'without any there is nothing to say');

select finish();
rollback;
