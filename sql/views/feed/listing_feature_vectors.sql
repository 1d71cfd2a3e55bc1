-- What training knows of each listing, under the model in force.

create or replace view feed.listing_feature_vectors as
select
    l.listing_id,
    v.feature_vector[1:m.tag_dimensions] as tag_vector,
    l.location,
    l.compensation,
    p.poster_score,
    v.feature_vector
from ml.current_model as c
inner join ml.models as m using (model_id)
inner join ml.listing_vectors as v using (model_id)
inner join feed.listings as l using (listing_no)
left join feed.posters as p using (poster_uid);

comment on view feed.listing_feature_vectors is
'What training knows of each listing, from its commit on; empty before the first training.';
comment on column feed.listing_feature_vectors.listing_id is 'The listing.';
comment on column feed.listing_feature_vectors.tag_vector is
'The tag part of feature_vector: TF-IDF of the tags reduced by truncated SVD.';
comment on column feed.listing_feature_vectors.location is 'Where it takes place.';
comment on column feed.listing_feature_vectors.compensation is 'Its pay.';
comment on column feed.listing_feature_vectors.poster_score is 'Its poster''s quality.';
comment on column feed.listing_feature_vectors.feature_vector is
'Tags, location cluster, pay, poster score at unit length; null if nothing is known of it.';
