-- Which listings go with which, one row a pair, under the model in force.
--
-- The packed form, one row a listing, is ml.listing_neighbors.

create or replace view feed.item_similarity_matrix as
select
    h.listing_id as listing_a_id,
    l.listing_id as listing_b_id,
    e.similarity,
    m.trained_at as last_computed
from ml.current_model as c
inner join ml.models as m using (model_id)
inner join ml.listing_neighbors as n using (model_id)
inner join feed.listings as h using (listing_no)
cross join lateral unnest(n.neighbor_nos, n.similarities) as e (neighbor_no, similarity)
inner join feed.listings as l on e.neighbor_no = l.listing_no;

comment on view feed.item_similarity_matrix is
'Which listings go with a listing that users chose, 200 at most, by who chose both.
Not symmetric: what few chose says much of what many chose, and not the other way round.';
comment on column feed.item_similarity_matrix.listing_a_id is 'The listing that was chosen.';
comment on column feed.item_similarity_matrix.listing_b_id is
'A listing that was open when the model was trained.';
comment on column feed.item_similarity_matrix.similarity is 'Above 0 and at most 1.';
comment on column feed.item_similarity_matrix.last_computed is 'The clock of the training.';
