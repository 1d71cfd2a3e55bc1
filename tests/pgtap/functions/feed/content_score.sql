-- feed.content_score: greatest(0, cosine), 0 if either is missing

begin;
select plan(8);

select is_near(feed.content_score('{3,4}', '{4,3}'), 0.96, 'it is the cosine');
select is_near(feed.content_score('{1,0}', '{-1,0}'), 0, 'vectors that point apart score 0');
select is_near(feed.content_score(null, '{1,0}'), 0, 'a user without a vector scores 0');
select is_near(feed.content_score('{1,0}', null), 0, 'a listing without a vector scores 0');
select is_near(feed.content_score(null, null), 0, 'neither having one scores 0');
select is_near(feed.content_score('{0,0}', '{1,0}'), 0, 'a zero vector of the user scores 0');
select is_near(feed.content_score('{1,0}', '{0,0}'), 0, 'a zero vector of the listing scores 0');
select ok(
    feed.content_score('{0.1,0.2,0.3}', '{0.1,0.2,0.3}') <= 1,
    'rounding does not lift it above 1'
);

select finish();
rollback;
