begin;

select 1 / count(*) from ml.training_parameters
where
    listing_neighbor_count >= 0
    and listing_neighbor_user_minimum > 0
    and listing_similarity_shrinkage >= 0
    and ease_head_size >= 0
    and ease_regularization > 0;

select
    n.model_id,
    n.listing_no,
    n.neighbor_nos,
    n.similarities
from ml.listing_neighbors as n
where false;

select 1 / count(*) from pg_catalog.pg_indexes
where schemaname = 'ml' and indexname = 'listing_neighbors_listing_idx';

rollback;
