begin;

alter table ml.training_parameters
drop column listing_user_limit,
drop column user_pair_minimum,
drop column update_user_limit,
drop column update_growth,
alter column products_per_step set default 40000000;

update ml.training_parameters as p
set products_per_step = 40000000
where p.products_per_step = 10000000;

commit;
