-- feed.engagement_score: least(1, ln(1 + greatest(points, 0)) / ln(1 + ceiling))

begin;
select plan(7);

select is_near(feed.engagement_score(0, 100), 0, 'no points score 0');
select is_near(feed.engagement_score(100, 100), 1, 'the ceiling scores 1');
select is_near(feed.engagement_score(100000, 100), 1, 'more than the ceiling scores 1, not more');
select is_near(feed.engagement_score(-5, 100), 0, 'negative points score 0');
select is_near(
    feed.engagement_score(9, 99), 0.5, 'a tenth of the way is half of it on the logarithm'
);
select is_near(
    feed.engagement_score(1, 100), 0.15019048322368794, 'a first point is ln 2 / ln 101'
);
select is_near(feed.engagement_score(3, 255), 0.25, 'the ceiling is an argument');

select finish();
rollback;
