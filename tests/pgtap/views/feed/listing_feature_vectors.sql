-- feed.listing_feature_vectors: what training knows of each listing

begin;
select plan(2);

select tests.poster('shop', average_rating => 5, rating_count => 100);
select tests.listing('job', poster => 'shop', compensation => 20);
select tests.model();
update ml.models
set tag_dimensions = 2;
select tests.listing_vector('job', array[0.6, 0, 0.8, 0]);

select results_eq(
    'select listing_id, tag_vector, feature_vector from feed.listing_feature_vectors',
    $$select tests.listing_id('job'), '{0.6, 0}'::real[], '{0.6, 0, 0.8, 0}'::real[]$$,
    'tag_vector is the tag part of feature_vector'
);
select results_eq(
    'select compensation, poster_score from feed.listing_feature_vectors',
    $$
    select 20::numeric(14, 2), p.poster_score
    from feed.posters as p
    where p.poster_uid = tests.user_uid('shop')
    $$,
    'pay and the poster''s score stand beside it as they are now'
);

select finish();
rollback;
