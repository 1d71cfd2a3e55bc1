-- ml.write_listing_vectors: from the stored projections, once there is a model

begin;
select plan(6);

select tests.listing('early', tags => array['a']);

select ml.write_listing_vectors(array[tests.listing_no('early')]);

select is_empty(
    'select listing_no from ml.listing_vectors', 'before the first training there are no vectors'
);

-- Two tags, each a dimension of its own.
select tests.model();
update ml.models
set
    tag_dimensions = 2,
    parameters = parameters || '{
        "blocks": {
            "tags": {"start": 0, "length": 2, "weight": 1},
            "location": {"start": 2, "length": 0, "weight": 1},
            "compensation": {"start": 2, "length": 1, "weight": 1},
            "poster": {"start": 3, "length": 1, "weight": 1}
        }
    }';
insert into ml.tag_projections (model_id, tag, idf, vector)
values
(tests.model(), 'a', 3, '{1, 0}'),
(tests.model(), 'b', 4, '{0, 1}');

select ml.write_listing_vectors(array[tests.listing_no('early')]);

select results_eq(
    'select feature_vector from ml.listing_vectors',
    'select ''{1, 0, 0, 0}''::real[]',
    'with a model the vector is there'
);

select tests.listing('both', tags => array['a', 'b']);

select results_eq(
    'select feature_vector from ml.listing_vectors where listing_no = tests.listing_no(''both'')',
    'select ''{0.6, 0.8, 0, 0}''::real[]',
    'tags weigh by their idf, and the vector is of unit length'
);

select tests.listing('unknown', tags => array['new']);

select results_eq(
    $$
    select feature_vector
    from ml.listing_vectors
    where listing_no = tests.listing_no('unknown')
    $$,
    'select null::real[]',
    'a listing of which nothing is known has a row without a vector'
);

select ml.write_listing_vectors(
    array[tests.listing_no('both'), -1, tests.listing_no('both'), null]
);

select is(
    (select count(*) from ml.listing_vectors), 3::bigint,
    'repeated, unknown and null numbers do no harm'
);

update ml.training_parameters
set rows_per_step = 1;
delete from ml.listing_vectors;

select ml.write_listing_vectors((select array_agg(listing_no) from feed.listings));

select is((select count(*) from ml.listing_vectors), 3::bigint, 'no step leaves a listing out');

select finish();
rollback;
