-- Each user's nearest users, one row a pair, under the model in force.
--
-- The packed form, one row a user, is ml.user_neighbors.

create or replace view feed.user_similarity_matrix as
select
    u.user_uid as user_a_uid,
    v.user_uid as user_b_uid,
    e.similarity,
    m.trained_at as last_computed
from ml.current_model as c
inner join ml.models as m using (model_id)
inner join ml.user_neighbors as n using (model_id)
inner join feed.users as u using (user_no)
cross join lateral unnest(n.neighbor_nos, n.similarities) as e (neighbor_no, similarity)
inner join feed.users as v on e.neighbor_no = v.user_no;

comment on view feed.user_similarity_matrix is
'Each user''s nearest users, 50 at most, by the cosine of what they did within 180 days.
Not symmetric: b may be among the nearest of a, and a not among those of b.';
comment on column feed.user_similarity_matrix.user_a_uid is 'The user.';
comment on column feed.user_similarity_matrix.user_b_uid is 'One of their nearest users.';
comment on column feed.user_similarity_matrix.similarity is 'Cosine, above 0 and at most 1.';
comment on column feed.user_similarity_matrix.last_computed is 'The clock of the training.';
