-- analytics.application_curve: the Lorenz curve by hand

begin;
select plan(6);

select tests.listing('a', poster => 'pat');
select tests.listing('b', poster => 'quin');
select tests.listing('c');
select tests.listing('d', poster => 'pat');
select tests.listing('closed', poster => 'quin', status => 'closed');
select tests.listing('expired', poster => 'quin', expires_at => now());
insert into feed.engagement_metrics (listing_id, apply_count)
select tests.listing_id(m.name), m.apply_count
from (
    values ('b', 0), ('c', 1), ('d', 3), ('closed', 50), ('expired', 50)
) as m (name, apply_count);

-- four listings with 0, 0, 1 and 3 applications
select results_eq(
    $$
    select percentile::integer, share_of_applications
    from analytics.application_curve('listing', now())
    where percentile in (0, 25, 50, 60, 75, 90, 100)
    order by percentile
    $$,
    $$
    values
    (0, 0::double precision),
    (25, 0),
    (50, 0),
    (60, 0.1),
    (75, 0.25),
    (90, 0.7),
    (100, 1)
    $$,
    'the least applied-to have least, in straight lines from one to the next'
);
select results_eq(
    $$
    select distinct gini, without_application_share, subject_count
    from analytics.application_curve('listing', now())
    $$,
    $$values (0.625::double precision, 0.5::double precision, 4::bigint)$$,
    'Gini is 2 (3·1 + 4·3) / (4·4) - 5/4; half have none'
);
-- pat has 3, quin has 0; c is nobody's
select results_eq(
    $$
    select percentile::integer, share_of_applications, gini, without_application_share,
        subject_count
    from analytics.application_curve('poster', now())
    where percentile in (50, 75, 100)
    order by percentile
    $$,
    $$
    values
    (50, 0::double precision, 0.5::double precision, 0.5::double precision, 2::bigint),
    (75, 0.5, 0.5, 0.5, 2),
    (100, 1, 0.5, 0.5, 2)
    $$,
    'posters with what all their listings have'
);
select is(
    (select count(*) from analytics.application_curve('listing', now())),
    101::bigint,
    'every percent is there'
);

update feed.engagement_metrics set apply_count = 0;
select results_eq(
    $$
    select distinct share_of_applications, gini, without_application_share
    from analytics.application_curve('listing', now())
    $$,
    $$values (null::double precision, null::double precision, 1::double precision)$$,
    'without any application there is no curve'
);
update feed.listings set status = 'closed';
select is_empty(
    $$select * from analytics.application_curve('listing', now())$$,
    'nor without listings'
);

select finish();
rollback;
