-- feed.listings, feed.posters: a changed listing has its new vector at once

begin;
select plan(6);

select tests.model();
update ml.models
set
    tag_dimensions = 1,
    parameters = parameters || '{
        "blocks": {
            "tags": {"start": 0, "length": 1, "weight": 1},
            "location": {"start": 1, "length": 0, "weight": 1},
            "compensation": {"start": 1, "length": 1, "weight": 1},
            "poster": {"start": 2, "length": 1, "weight": 1}
        },
        "compensation_scalers": {"EUR": {"mean": 0, "scale": 1}},
        "poster_scaler": {"mean": 0, "scale": 0.01}
    }';
insert into ml.tag_projections (model_id, tag, idf, vector)
values (tests.model(), 'a', 1, '{1}');

create function pg_temp.vector(name text)
returns real[]
language sql
return (
    select v.feature_vector
    from ml.listing_vectors as v
    where v.listing_no = tests.listing_no(vector.name)
);

select tests.listing('gig');
select is(pg_temp.vector('gig'), null, 'of a listing without anything nothing is known');

update feed.listings
set tags = '{a}';
select is(pg_temp.vector('gig'), '{1, 0, 0}', 'new tags count at once');

update feed.listings
set
    compensation = 1000,
    currency = 'EUR',
    tags = '{}';
select is(pg_temp.vector('gig'), '{0, 1, 0}', 'new pay counts at once');

select tests.poster('shop', average_rating => 3, rating_count => 10);
select tests.listing('job', poster => 'shop', tags => array['a']);
-- clipped at three standard deviations: (1, 0, 3) at unit length
select is(
    pg_temp.vector('job')::numeric(4, 3)[], array[0.316, 0, 0.949]::numeric(4, 3)[],
    'the poster''s score is part of the vector'
);

update ml.models
set parameters = jsonb_set(parameters, '{poster_scaler,mean}', '1');
update feed.posters
set rating_count = 1000;
select is(
    pg_temp.vector('job')::numeric(4, 3)[], array[0.316, 0, 0.949]::numeric(4, 3)[],
    'a session keeps the projections of a model, which never change'
);

delete from ml.listing_vectors;
update feed.listings
set title = 'renamed';
select is_empty(
    'select listing_no from ml.listing_vectors', 'a title changes no vector'
);

select finish();
rollback;
