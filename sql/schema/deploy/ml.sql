-- What training writes: models, projections, vectors, neighbors.
--
-- Every row belongs to a model. Training fills a new model beside the one in force and
-- then moves the pointer ml.current_model: readers see the old model whole or the new one
-- whole, and a training that was killed leaves rows that no reader looks at.

begin;
set local role feed_owner;

create table ml.training_parameters (
    is_only_row boolean primary key default true
    constraint training_parameters_have_one_row check (is_only_row),
    neighbor_count smallint not null default 50
    constraint neighbor_count_is_between_1_and_50 check (neighbor_count between 1 and 50),
    similarity_window interval not null default '180 days'
    constraint similarity_window_is_positive check (similarity_window > interval '0'),
    full_interest_weight real not null default 10
    constraint full_interest_weight_is_positive
    check (full_interest_weight > 0 and full_interest_weight < 'infinity'),
    preference_half_life interval not null default '30 days'
    constraint preference_half_life_is_positive check (preference_half_life > interval '0'),
    preference_tag_limit smallint not null default 50
    constraint preference_tag_limit_is_between_1_and_1000
    check (preference_tag_limit between 1 and 1000),
    vocabulary_limit integer not null default 20000
    constraint vocabulary_limit_is_between_1_and_200000
    check (vocabulary_limit between 1 and 200000),
    tag_dimensions smallint not null default 32
    constraint tag_dimensions_are_between_1_and_256 check (tag_dimensions between 1 and 256),
    tag_sample_size integer not null default 100000
    constraint tag_sample_size_is_positive check (tag_sample_size > 0),
    location_clusters smallint not null default 16
    constraint location_clusters_are_between_1_and_256
    check (location_clusters between 1 and 256),
    location_sample_size integer not null default 20000
    constraint location_sample_size_is_positive check (location_sample_size > 0),
    tag_block_weight double precision not null default 1.0
    constraint tag_block_weight_is_between_0_and_100
    check (tag_block_weight between 0 and 100),
    location_block_weight double precision not null default 0.5
    constraint location_block_weight_is_between_0_and_100
    check (location_block_weight between 0 and 100),
    compensation_block_weight double precision not null default 0.2
    constraint compensation_block_weight_is_between_0_and_100
    check (compensation_block_weight between 0 and 100),
    poster_block_weight double precision not null default 0.2
    constraint poster_block_weight_is_between_0_and_100
    check (poster_block_weight between 0 and 100),
    scaled_value_limit double precision not null default 3
    constraint scaled_value_limit_is_positive
    check (scaled_value_limit > 0 and scaled_value_limit < 'infinity'),
    random_seed integer not null default 20240229
    constraint random_seed_is_not_negative check (random_seed >= 0),
    thread_count smallint not null default 2
    constraint thread_count_is_between_1_and_64 check (thread_count between 1 and 64),
    products_per_step bigint not null default 40000000
    constraint products_per_step_is_positive check (products_per_step > 0),
    rows_per_step integer not null default 20000
    constraint rows_per_step_is_between_1_and_100000
    check (rows_per_step between 1 and 100000),
    pages_per_read integer not null default 8192
    constraint pages_per_read_is_positive check (pages_per_read > 0),
    publish_lock_wait interval not null default '1 second'
    constraint publish_lock_wait_is_positive check (publish_lock_wait > interval '0'),
    publish_lock_attempts smallint not null default 60
    constraint publish_lock_attempts_are_positive check (publish_lock_attempts > 0)
);

comment on table ml.training_parameters is
'How training works: one row. A change is in force from the next training on; each model
keeps a copy of what it was trained with.';
comment on column ml.training_parameters.is_only_row is
'Always true: keeps the table at one row.';
comment on column ml.training_parameters.neighbor_count is
'How many similar users are kept for each user.';
comment on column ml.training_parameters.similarity_window is
'Pairs last touched longer ago do not enter the similarity of users.';
comment on column ml.training_parameters.full_interest_weight is
'Weight of an interaction that counts as full interest: a = strongest_weight over it, at most 1.';
comment on column ml.training_parameters.preference_half_life is
'After this long an interaction counts half towards a user''s tags and vector.';
comment on column ml.training_parameters.preference_tag_limit is
'How many tags are kept in tag_preference, the strongest by absolute weight.';
comment on column ml.training_parameters.vocabulary_limit is
'How many tags enter the vectors, the most frequent; rarer ones still count as tags.';
comment on column ml.training_parameters.tag_dimensions is
'Dimensions that TF-IDF of the tags is reduced to, if there are that many tags.';
comment on column ml.training_parameters.tag_sample_size is
'Listings that the reduction is fitted on, drawn by random_seed.';
comment on column ml.training_parameters.location_clusters is
'Clusters that places are put into, if there are that many places.';
comment on column ml.training_parameters.location_sample_size is
'Places that the clusters are fitted on, drawn by random_seed.';
comment on column ml.training_parameters.tag_block_weight is
'Length of the tag part of a listing''s vector before the whole is made unit length.';
comment on column ml.training_parameters.location_block_weight is
'Length of the location part before the whole is made unit length.';
comment on column ml.training_parameters.compensation_block_weight is
'What one standard deviation of log pay adds before the whole is made unit length.';
comment on column ml.training_parameters.poster_block_weight is
'What one standard deviation of poster_score adds before the whole is made unit length.';
comment on column ml.training_parameters.scaled_value_limit is
'Standardised values are clipped to this many standard deviations.';
comment on column ml.training_parameters.random_seed is
'Seed of every random choice: the same data gives the same model.';
comment on column ml.training_parameters.thread_count is
'Threads of the similarity product.';
comment on column ml.training_parameters.products_per_step is
'Multiplications between two points at which training can be cancelled.';
comment on column ml.training_parameters.rows_per_step is
'Rows written or deleted a transaction.';
comment on column ml.training_parameters.pages_per_read is
'Table pages (8 kB) read by one statement.';
comment on column ml.training_parameters.publish_lock_wait is
'How long the publishing of a model may make writers of listings wait before it steps back.';
comment on column ml.training_parameters.publish_lock_attempts is
'How often it tries before the training gives up.';
comment on index ml.training_parameters_pkey is 'Keeps the table at one row.';

insert into ml.training_parameters default values;

create table ml.models (
    model_id integer generated always as identity primary key,
    trained_at timestamptz not null,
    tag_dimensions smallint not null default 0
    constraint model_tag_dimensions_are_not_negative check (tag_dimensions >= 0),
    parameters jsonb not null default '{}'
    constraint model_parameters_are_an_object check (jsonb_typeof(parameters) = 'object'),
    details jsonb not null default '{}'
    constraint model_details_are_an_object check (jsonb_typeof(details) = 'object')
);

comment on table ml.models is
'One row a training. Only the one that ml.current_model names is in force.';
comment on column ml.models.model_id is 'Counts up.';
comment on column ml.models.trained_at is 'The clock of the training: ages and windows end here.';
comment on column ml.models.tag_dimensions is
'How many of the first elements of a feature_vector are its tags.';
comment on column ml.models.parameters is
'Scalers and block weights that make a listing''s vector: docs/analysts/vectors.md.';
comment on column ml.models.details is 'The training_parameters used and what was counted.';
comment on index ml.models_pkey is 'Serves every reader of a model.';

create table ml.current_model (
    is_only_row boolean primary key default true
    constraint current_model_has_one_row check (is_only_row),
    model_id integer references ml.models,
    published_at timestamptz,
    constraint model_goes_with_its_time check ((model_id is null) = (published_at is null))
);

-- The row is there from the start: writers under repeatable read lock it.
comment on table ml.current_model is 'The model in force: one row, null before the first training.';
comment on column ml.current_model.is_only_row is 'Always true: keeps the table at one row.';
comment on column ml.current_model.model_id is 'The model in force.';
comment on column ml.current_model.published_at is 'Since when.';
comment on index ml.current_model_pkey is 'Keeps the table at one row.';

insert into ml.current_model default values;

create index current_model_model_idx on ml.current_model (model_id);
comment on index ml.current_model_model_idx is 'Serves the foreign key.';

create table ml.tag_projections (
    model_id integer not null references ml.models on delete cascade,
    tag text not null,
    idf double precision not null
    constraint idf_is_positive check (idf > 0 and idf < 'infinity'),
    vector real[] not null
    constraint tag_vector_is_finite
    check ('-infinity' < all(vector) and 'infinity' > all(vector)),
    primary key (model_id, tag)
);

comment on table ml.tag_projections is
'How a tag enters a listing''s vector: its weight and its row of the truncated SVD.';
comment on column ml.tag_projections.model_id is 'The model.';
comment on column ml.tag_projections.tag is 'As in feed.listings.tags.';
comment on column ml.tag_projections.idf is 'Smoothed inverse document frequency.';
comment on column ml.tag_projections.vector is 'Its component in each tag dimension.';
comment on index ml.tag_projections_pkey is 'Serves the vectors of new listings.';

create table ml.location_clusters (
    model_id integer not null references ml.models on delete cascade,
    cluster_no smallint not null
    constraint cluster_no_is_not_negative check (cluster_no >= 0),
    centre real[] not null
    constraint centre_has_three_coordinates_on_the_sphere
    check (array_length(centre, 1) = 3 and (-1)::real <= all(centre) and 1::real >= all(centre)),
    primary key (model_id, cluster_no)
);

comment on table ml.location_clusters is 'The clusters of places, from k-means.';
comment on column ml.location_clusters.model_id is 'The model.';
comment on column ml.location_clusters.cluster_no is 'From 0: its place in the location part.';
comment on column ml.location_clusters.centre is
'Unit vector (x, y, z): x to latitude 0 and longitude 0, z to the north pole.';
comment on index ml.location_clusters_pkey is 'Serves the vectors of new listings.';

create table ml.listing_vectors (
    model_id integer not null references ml.models on delete cascade,
    listing_no integer not null references feed.listings (listing_no) on delete cascade,
    feature_vector real[]
    constraint listing_vector_is_of_unit_length
    check ((-1)::real <= all(feature_vector) and 1::real >= all(feature_vector)),
    primary key (model_id, listing_no)
);

comment on table ml.listing_vectors is
'One vector a listing, open or closed, from its commit on.';
comment on column ml.listing_vectors.model_id is 'The model.';
comment on column ml.listing_vectors.listing_no is 'The listing: feed.listings.listing_no.';
comment on column ml.listing_vectors.feature_vector is
'Unit length: tags, location cluster, pay, poster. Null if nothing is known of the listing.';
comment on index ml.listing_vectors_pkey is 'Serves scoring: one listing''s vector.';

create index listing_vectors_listing_idx on ml.listing_vectors (listing_no);
comment on index ml.listing_vectors_listing_idx is 'Serves the foreign key.';

create table ml.user_vectors (
    model_id integer not null references ml.models on delete cascade,
    user_no integer not null references feed.users (user_no) on delete cascade,
    tag_preference jsonb not null
    constraint tag_preference_is_an_object check (jsonb_typeof(tag_preference) = 'object'),
    compensation_preference double precision
    constraint compensation_preference_is_not_negative check (compensation_preference >= 0),
    activity_level double precision not null
    constraint activity_level_is_not_negative check (activity_level >= 0),
    feature_vector real[]
    constraint user_vector_is_of_unit_length
    check ((-1)::real <= all(feature_vector) and 1::real >= all(feature_vector)),
    primary key (model_id, user_no)
);

comment on table ml.user_vectors is
'What a user''s interactions say, weighted by type and decayed by age. Users without an
interaction, and users with personalization off, have no row.';
comment on column ml.user_vectors.model_id is 'The model.';
comment on column ml.user_vectors.user_no is 'The user: feed.users.user_no.';
comment on column ml.user_vectors.tag_preference is
'{tag: weight}: decayed weights of the listings that bear the tag, dismissals negative.';
comment on column ml.user_vectors.compensation_preference is
'Mean pay of the listings that the user liked, in the currency liked most; null if unknown.';
comment on column ml.user_vectors.activity_level is 'Decayed number of interactions.';
comment on column ml.user_vectors.feature_vector is
'Decayed sum of the listings'' vectors at unit length; null if it is zero.';
comment on index ml.user_vectors_pkey is 'Serves scoring: one user''s vector and tags.';

create index user_vectors_user_idx on ml.user_vectors (user_no);
comment on index ml.user_vectors_user_idx is 'Serves the foreign key.';

-- Packed: one row a user instead of fifty, since a feed reads all of them at once.
create table ml.user_neighbors (
    model_id integer not null references ml.models on delete cascade,
    user_no integer not null references feed.users (user_no) on delete cascade,
    neighbor_nos integer[] not null
    constraint neighbors_are_50_at_most check (cardinality(neighbor_nos) <= 50)
    constraint neighbors_are_known check (array_position(neighbor_nos, null) is null),
    similarities real[] not null
    constraint similarities_are_above_0_and_at_most_1
    check (0::real < all(similarities) and 1::real >= all(similarities)),
    primary key (model_id, user_no),
    constraint each_neighbor_has_a_similarity
    check (cardinality(neighbor_nos) = cardinality(similarities)),
    constraint nobody_is_their_own_neighbor check (user_no <> all(neighbor_nos))
);

comment on table ml.user_neighbors is
'Each user''s most similar users, by the cosine of what they did; packed, one row a user.
A user who is nobody''s neighbor any more (gone, or personalization off) is ignored by readers.';
comment on column ml.user_neighbors.model_id is 'The model.';
comment on column ml.user_neighbors.user_no is 'The user: feed.users.user_no.';
comment on column ml.user_neighbors.neighbor_nos is
'The neighbors'' user_no, most similar first, ties by user_no.';
comment on column ml.user_neighbors.similarities is 'Cosine in (0,1], one a neighbor.';
comment on index ml.user_neighbors_pkey is 'Serves scoring: one user''s neighbors.';

create index user_neighbors_user_idx on ml.user_neighbors (user_no);
comment on index ml.user_neighbors_user_idx is 'Serves the foreign key.';

create index user_neighbors_members_idx on ml.user_neighbors using gin (neighbor_nos);
comment on index ml.user_neighbors_members_idx is
'Serves ml.forget_user: in whose lists a user is.';

-- Personal: no role but the owner sees a row, for there is no policy.
alter table ml.user_vectors enable row level security;
alter table ml.user_neighbors enable row level security;

commit;
