-- feed.poster_affinity_score: a / (a + smoothing)

begin;
select plan(4);

select is_near(feed.poster_affinity_score(0, 1), 0, 'without a choice it is 0');
select is_near(feed.poster_affinity_score(1, 1), 0.5, 'at the smoothing it is one half');
select is_near(feed.poster_affinity_score(3, 1), 0.75, 'more of it adds less');
select is_near(feed.poster_affinity_score(1, 3), 0.25, 'the smoothing is the profile''s');

select finish();
rollback;
