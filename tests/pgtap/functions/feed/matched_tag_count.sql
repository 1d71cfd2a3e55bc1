-- feed.matched_tag_count: |A∩B|

begin;
select plan(6);

select is(
    feed.matched_tag_count('{a,b,c}', '{b,c,d}'), 2, 'tags on both sides match'
);
select is(feed.matched_tag_count('{a}', '{b}'), 0, 'different tags do not match');
select is(feed.matched_tag_count('{}', '{b}'), 0, 'no tags of the user match nothing');
select is(feed.matched_tag_count('{a}', '{}'), 0, 'no tags of the listing match nothing');
select is(feed.matched_tag_count('{}', '{}'), 0, 'two empty sets have nothing in common');
select is(
    feed.matched_tag_count(
        array(select 'tag' || n from generate_series(1, 500) as n),
        array(select 'tag' || n from generate_series(401, 1000) as n)
    ),
    100,
    'there is no limit to how many are compared'
);

select finish();
rollback;
