-- Which listings go together, by who chose them, and how training finds out.

begin;
set local role feed_owner;

alter table ml.training_parameters
add column listing_neighbor_count smallint not null default 100
constraint listing_neighbor_count_is_between_0_and_200
check (listing_neighbor_count between 0 and 200),
add column listing_neighbor_user_minimum smallint not null default 2
constraint listing_neighbor_user_minimum_is_positive
check (listing_neighbor_user_minimum > 0),
add column listing_similarity_shrinkage double precision not null default 10
constraint listing_similarity_shrinkage_is_not_negative
check (listing_similarity_shrinkage >= 0 and listing_similarity_shrinkage < 'infinity'),
add column ease_head_size integer not null default 1000
constraint ease_head_size_is_between_0_and_5000
check (ease_head_size between 0 and 5000),
add column ease_regularization double precision not null default 100
constraint ease_regularization_is_positive
check (ease_regularization > 0 and ease_regularization < 'infinity');

comment on column ml.training_parameters.listing_neighbor_count is
'How many similar listings are kept for each listing; 0: none are computed.';
comment on column ml.training_parameters.listing_neighbor_user_minimum is
'Two listings are similar only if at least so many users chose both.';
comment on column ml.training_parameters.listing_similarity_shrinkage is
'How many users must have chosen both listings for half of their similarity to count.';
comment on column ml.training_parameters.ease_head_size is
'How many of the listings that most users chose are related by EASE; the rest by cosine.';
comment on column ml.training_parameters.ease_regularization is
'How strongly EASE is drawn to zero: its lambda, in users.';

-- Packed as ml.user_neighbors is: a feed reads the rows of the user's latest choices.
create table ml.listing_neighbors (
    model_id integer not null references ml.models on delete cascade,
    listing_no integer not null references feed.listings (listing_no) on delete cascade,
    neighbor_nos integer[] not null
    constraint listing_neighbors_are_200_at_most check (cardinality(neighbor_nos) <= 200)
    constraint listing_neighbors_are_known check (array_position(neighbor_nos, null) is null),
    similarities real[] not null
    constraint listing_similarities_are_above_0_and_at_most_1
    check (0::real < all(similarities) and 1::real >= all(similarities)),
    primary key (model_id, listing_no),
    constraint each_listing_neighbor_has_a_similarity
    check (cardinality(neighbor_nos) = cardinality(similarities)),
    constraint no_listing_is_its_own_neighbor check (listing_no <> all(neighbor_nos))
);

comment on table ml.listing_neighbors is
'For each listing that users chose, the open listings that it speaks for; packed, one row a
listing. A neighbor that is gone or closed meanwhile is ignored by readers.';
comment on column ml.listing_neighbors.model_id is 'The model.';
comment on column ml.listing_neighbors.listing_no is
'The listing that was chosen: feed.listings.listing_no.';
comment on column ml.listing_neighbors.neighbor_nos is
'listing_no of the listings that it speaks for, most similar first, ties by listing_no.';
comment on column ml.listing_neighbors.similarities is 'In (0,1], one a neighbor.';
comment on index ml.listing_neighbors_pkey is 'Serves scoring: one chosen listing''s neighbors.';

create index listing_neighbors_listing_idx on ml.listing_neighbors (listing_no);
comment on index ml.listing_neighbors_listing_idx is 'Serves the foreign key.';

-- Made of what users did: no role but the owner sees a row, for there is no policy.
alter table ml.listing_neighbors enable row level security;

commit;
