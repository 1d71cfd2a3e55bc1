-- ml.listing_facts: what the vector of a listing is made from

begin;
select plan(2);

select tests.poster('shop', average_rating => 5, rating_count => 100);
select tests.listing(
    'gig',
    poster => 'shop', tags => array['a'], lat => 47, lon => 8, compensation => 20,
    currency => 'CHF'
);
select tests.listing('nothing');

select results_eq(
    $$
    select f.tags, f.currency, f.latitude, f.longitude, f.compensation, f.poster_score
    from ml.listing_facts as f
    where f.listing_no = tests.listing_no('gig')
    $$,
    $$
    select
        '{a}'::text[], 'CHF', 47::double precision, 8::double precision, 20::double precision,
        p.poster_score
    from feed.posters as p
    $$,
    'numbers are those of the listing and its poster'
);
select results_eq(
    $$
    select f.tags, f.currency, f.latitude, f.longitude, f.compensation, f.poster_score
    from ml.listing_facts as f
    where f.listing_no = tests.listing_no('nothing')
    $$,
    $$
    select '{}'::text[], null::text, n.nan, n.nan, n.nan, n.nan
    from (select 'NaN'::double precision as nan) as n
    $$,
    'what is unknown is NaN'
);

select finish();
rollback;
