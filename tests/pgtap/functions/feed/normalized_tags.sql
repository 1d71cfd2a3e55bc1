-- feed.normalized_tags: the one form of tags

begin;
select plan(9);

select is(feed.normalized_tags('{b,a}'), '{a,b}', 'tags are sorted');
select is(feed.normalized_tags('{a,a}'), '{a}', 'the same tag twice is one');
select is(feed.normalized_tags('{Jazz,JAZZ}'), '{jazz}', 'tags are in lower case');
select is(feed.normalized_tags(array[e' \t jazz\n ']), '{jazz}', 'white space around is dropped');
select is(
    feed.normalized_tags(array['new york']), array['new york'], 'white space inside stays'
);
select is(feed.normalized_tags(array['', '  ', null]), '{}', 'empty tags and nulls are dropped');
select is(feed.normalized_tags('{}'), '{}', 'no tags are no tags');
select is(feed.normalized_tags(null), '{}', 'null is no tags');
select is(
    feed.normalized_tags(array['é', 'z', 'É']), array['z', 'é'], 'the order is that of bytes'
);

select finish();
rollback;
