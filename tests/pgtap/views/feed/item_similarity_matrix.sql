-- feed.item_similarity_matrix: the packed neighbors of listings, one row a pair

begin;
select plan(4);

select is_empty('select * from feed.item_similarity_matrix', 'before a training it is empty');

select tests.listing(name)
from unnest(array['bicycle', 'helmet', 'pump', 'lamp']) as name;
insert into ml.listing_neighbors (model_id, listing_no, neighbor_nos, similarities)
values (
    tests.model(),
    tests.listing_no('bicycle'),
    array[tests.listing_no('helmet'), tests.listing_no('pump')],
    array[0.75, 0.5]
);

prepare pairs as
select
    listing_a_id,
    listing_b_id,
    similarity
from feed.item_similarity_matrix
order by similarity desc;

select results_eq(
    'pairs',
    $$
    values
        (tests.listing_id('bicycle'), tests.listing_id('helmet'), 0.75::real),
        (tests.listing_id('bicycle'), tests.listing_id('pump'), 0.5::real)
    $$,
    'each neighbor is a row'
);

delete from feed.listings
where listing_id = tests.listing_id('helmet');

select results_eq(
    'pairs',
    $$values (tests.listing_id('bicycle'), tests.listing_id('pump'), 0.5::real)$$,
    'a listing that is gone is nobody''s neighbor'
);

update ml.current_model
set
    model_id = null,
    published_at = null;

select is_empty(
    'select * from feed.item_similarity_matrix', 'a model that is not in force is not shown'
);

select finish();
rollback;
