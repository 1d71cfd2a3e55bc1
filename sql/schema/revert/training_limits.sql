begin;

alter table ml.training_parameters
drop column listing_user_limit,
drop column user_pair_minimum,
drop column update_user_limit,
drop column update_growth;

commit;
