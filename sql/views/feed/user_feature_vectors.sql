-- What training knows of each user, under the model in force.

create or replace view feed.user_feature_vectors as
select
    u.user_uid,
    v.tag_preference,
    v.compensation_preference,
    v.activity_level,
    v.feature_vector
from ml.current_model as c
inner join ml.user_vectors as v using (model_id)
inner join feed.users as u using (user_no);

comment on view feed.user_feature_vectors is
'What training knows of each user with interactions and personalization.';
comment on column feed.user_feature_vectors.user_uid is 'The user.';
comment on column feed.user_feature_vectors.tag_preference is
'{tag: weight}: decayed weights of the listings that bear the tag, dismissals negative.';
comment on column feed.user_feature_vectors.compensation_preference is
'Mean pay of the listings that the user liked, in the currency liked most.';
comment on column feed.user_feature_vectors.activity_level is
'Decayed number of interactions.';
comment on column feed.user_feature_vectors.feature_vector is
'Decayed sum of the listings'' feature vectors, at unit length.';
