-- Replaceable code that needed this goes along; bin/apply-code puts it back.

begin;

drop table ml.listing_neighbors cascade;

alter table ml.training_parameters
drop column listing_neighbor_count cascade,
drop column listing_neighbor_user_minimum cascade,
drop column listing_similarity_shrinkage cascade,
drop column ease_head_size cascade,
drop column ease_regularization cascade;

delete from ops.source_files;

commit;
