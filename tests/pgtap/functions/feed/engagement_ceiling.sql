-- feed.engagement_ceiling: greatest(100, percentile_disc(0.999) of points over open listings)

begin;
select plan(7);

select is(
    feed.engagement_ceiling(), null, 'without open listings there is no ceiling to be had'
);

select tests.listing('shop ' || n)
from generate_series(1, 2000) as n;

select is_near(feed.engagement_ceiling(), 100, 'the ceiling is at least 100');

insert into feed.engagement_metrics (listing_id, apply_count)
select
    tests.listing_id('shop ' || n),
    n * 10
from generate_series(1, 4) as n;

-- 2000 listings: percentile_disc(0.999) is the 1998th from below, the third from above
select is_near(
    feed.engagement_ceiling(),
    200,
    'above it, it is the first value that 999 of 1000 listings do not exceed'
);

update feed.listings
set status = 'closed'
where listing_id = tests.listing_id('shop 4');

select is_near(
    feed.engagement_ceiling(),
    200,
    'a closed listing no longer raises it: 1998 of 1999 is still the second from above'
);

update feed.listings
set status = 'closed'
where listing_id in (tests.listing_id('shop 3'), tests.listing_id('shop 2'));

select is_near(feed.engagement_ceiling(), 100, 'and without three rivals the minimum is back');

update feed.engagement_scale
set minimum_ceiling = 30;

select is_near(feed.engagement_ceiling(), 30, 'the minimum is engagement_scale''s');

update feed.engagement_scale
set ceiling_quantile = 1;

select is_near(feed.engagement_ceiling(), 100, 'and so is the quantile');

select finish();
rollback;
