-- feed.cosine_similarity

begin;
select plan(8);

select is_near(feed.cosine_similarity('{1,0}', '{1,0}'), 1, 'the same direction is 1');
select is_near(feed.cosine_similarity('{1,0}', '{5,0}'), 1, 'length does not matter');
select is_near(feed.cosine_similarity('{1,0}', '{0,1}'), 0, 'a right angle is 0');
select is_near(feed.cosine_similarity('{1,0}', '{-2,0}'), -1, 'the opposite is -1');
select is_near(feed.cosine_similarity('{3,4}', '{4,3}'), 0.96, '(3,4) and (4,3) make 24/25');
select is(feed.cosine_similarity('{0,0}', '{1,0}'), null, 'the zero vector has no direction');
select is(feed.cosine_similarity(null, '{1,0}'), null, 'a missing vector has none');
select is_near(
    feed.cosine_similarity('{1e-30,0}', '{1e-30,0}'), 1, 'tiny vectors are summed in float8'
);

select finish();
rollback;
