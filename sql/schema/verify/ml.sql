begin;

select 1 / count(*) from ml.training_parameters
where neighbor_count is not null;

select
    m.model_id,
    m.trained_at,
    m.tag_dimensions,
    m.parameters,
    m.details,
    c.published_at
from ml.models as m
inner join ml.current_model as c using (model_id)
where false;

select
    p.tag,
    p.idf,
    p.vector,
    c.cluster_no,
    c.centre
from ml.tag_projections as p
inner join ml.location_clusters as c using (model_id)
where false;

select
    v.listing_no,
    v.feature_vector
from ml.listing_vectors as v
where false;

select
    v.tag_preference,
    v.compensation_preference,
    v.activity_level,
    v.feature_vector,
    n.neighbor_nos,
    n.similarities
from ml.user_vectors as v
inner join ml.user_neighbors as n using (model_id, user_no)
where false;

select 1 / count(*) from pg_catalog.pg_indexes
where
    schemaname = 'ml'
    and indexname in (
        'current_model_model_idx', 'listing_vectors_listing_idx', 'user_vectors_user_idx',
        'user_neighbors_user_idx', 'user_neighbors_members_idx'
    )
having count(*) = 5;

rollback;
