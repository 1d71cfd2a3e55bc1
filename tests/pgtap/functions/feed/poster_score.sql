-- feed.poster_score: 0.5·R + 0.3·C + 0.2·E

begin;
select plan(9);

select
    is_near(
        feed.poster_score(
            c.average_rating, c.rating_count, c.accepted_count, c.completed_count
        ),
        c.score,
        c.description
    )
from (
    values
    (null, 0, 0, 0, 0.4625, 'nothing known: R = 0.625, C = 0.5, E = 0'),
    -- R = ((5·15 + 17.5) / 20 - 1) / 4 = 0.90625, C = 1/2
    (5, 15, 0, 0, 0.603125, 'fifteen ratings of 5 are shrunk towards 3.5'),
    -- R = ((1·15 + 17.5) / 20 - 1) / 4 = 0.15625
    (1, 15, 0, 0, 0.228125, 'fifteen ratings of 1 are shrunk up'),
    (4.5, 0, 0, 0, 0.4625, 'a rating that nobody gave says nothing'),
    (null, 40, 0, 0, 0.4625, 'ratings without a mean count as 3.5'),
    -- C = 1/12
    (null, 0, 10, 0, 0.3375, 'what was accepted and not completed costs'),
    -- C = 101/102, E = 1
    (null, 0, 100, 100, 0.8095588235294118, 'a hundred completions are full experience'),
    -- C = 401/402, E = 1 though ln(401)/ln(101) > 1
    (null, 0, 400, 400, 0.8117537313432836, 'more are not more'),
    -- R = ((5·95 + 17.5) / 100 - 1) / 4 = 0.98125, C = 10/11, E = ln(10) / ln(101)
    (5, 95, 9, 9, 0.8631366698883683, 'all three parts add up')
) as c (average_rating, rating_count, accepted_count, completed_count, score, description);

select finish();
rollback;
