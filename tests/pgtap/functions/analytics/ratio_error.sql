-- analytics.ratio_error: the delta method

begin;
select plan(6);

-- clicks 1, 0, 2 of impressions 2, 2, 4; what is left of each user after 3/8 an impression is
-- 1/4, -3/4 and 1/2, with variance 7/16: sqrt(3 * 7/16) / 8
select is_near(
    analytics.ratio_error(3, 3, 8, 1, 4.0 / 3, 1),
    sqrt(3 * 7.0 / 16) / 8,
    'the spread of what the ratio leaves unexplained'
);
-- users with one impression each: the standard error of a mean
select is_near(
    analytics.ratio_error(100, 50, 100, 0.25, 0, 0),
    sqrt(0.25 / 100),
    'of a mean it is the standard error as everybody knows it'
);
select is_near(
    analytics.ratio_error(3, 4, 8, 1, 4, 2), 0, 'where all have the same ratio there is none'
);
select is(
    analytics.ratio_error(1, 1, 2, null, null, null), null, 'a single user says nothing of others'
);
select is(analytics.ratio_error(3, 0, 8, 0, 4, 0), null, 'nor do users who did nothing');
select is(analytics.ratio_error(3, 0, 0, 0, 0, 0), null, 'or saw nothing');

select finish();
rollback;
