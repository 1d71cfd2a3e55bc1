-- feed.item_similarity_score: 1 − e^(−x)

begin;
select plan(4);

select is_near(feed.item_similarity_score(0), 0, 'what goes with nothing scores 0');
select is_near(feed.item_similarity_score(1), 0.6321205588285577, 'a similarity of 1 is 1 − 1/e');
select is_near(feed.item_similarity_score(0.5), 0.3934693402873666, 'half of it is more than half');
select is_near(feed.item_similarity_score(1000), 1, 'much of it is 1 and does not underflow');

select finish();
rollback;
