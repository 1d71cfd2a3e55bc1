-- feed.tag_score: Jaccard index

begin;
select plan(6);

select is_near(feed.tag_score(2, 3, 3), 0.5, 'two of four tags in all make one half');
select is_near(feed.tag_score(3, 3, 3), 1, 'the same tags make 1');
select is_near(feed.tag_score(0, 3, 3), 0, 'no tag in common makes 0');
select is_near(feed.tag_score(0, 0, 3), 0, 'a user without tags scores 0');
select is_near(feed.tag_score(0, 3, 0), 0, 'a listing without tags scores 0');
select is_near(feed.tag_score(0, 0, 0), 0, 'neither having tags scores 0, not 0/0');

select finish();
rollback;
