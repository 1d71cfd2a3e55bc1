-- What training leaves out, and how much jobs.update_models does in a run.

begin;
set local role feed_owner;

alter table ml.training_parameters
add column listing_user_limit integer
constraint listing_user_limit_is_at_least_2 check (listing_user_limit >= 2),
add column user_pair_minimum smallint not null default 1
constraint user_pair_minimum_is_between_1_and_1000 check (user_pair_minimum between 1 and 1000),
add column update_user_limit integer not null default 2000
constraint update_user_limit_is_between_1_and_100000
check (update_user_limit between 1 and 100000),
add column update_growth real not null default 2
constraint update_growth_is_at_least_1_5_and_finite
check (update_growth >= 1.5 and update_growth < 'infinity');

comment on column ml.training_parameters.listing_user_limit is
'Listings that more users than this touched add nothing to the similarity of users; null: no
limit, and the neighbors are the true ones.';
comment on column ml.training_parameters.user_pair_minimum is
'Users who touched fewer listings within similarity_window have no neighbors and are nobody''s
neighbor; 1: nobody is left out.';
comment on column ml.training_parameters.update_user_limit is
'How many users jobs.update_models writes in a run; the others wait for the next.';
comment on column ml.training_parameters.update_growth is
'jobs.update_models writes a user anew whose activity since the training is more than this
many times the activity that the model knows.';

-- A step is a call that does not heed a cancel request: 40 million took up to a second.
alter table ml.training_parameters
alter column products_per_step set default 10000000;

update ml.training_parameters as p
set products_per_step = 10000000
where p.products_per_step = 40000000;

commit;
