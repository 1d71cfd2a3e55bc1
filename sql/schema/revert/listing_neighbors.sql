-- Replaceable code that needed this goes along; bin/apply-code puts it back.

begin;

drop table ml.listing_neighbors cascade;

alter table ml.training_parameters
drop column listing_neighbor_count cascade,
drop column listing_neighbor_user_minimum cascade,
drop column listing_popularity_power cascade,
drop column listing_history_limit cascade;

delete from ops.source_files;

commit;
