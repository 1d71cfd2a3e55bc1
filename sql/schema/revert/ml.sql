-- Replaceable code that needed this goes along; bin/apply-code puts it back.

begin;

drop table ml.user_neighbors cascade;
drop table ml.user_vectors cascade;
drop table ml.listing_vectors cascade;
drop table ml.location_clusters cascade;
drop table ml.tag_projections cascade;
drop table ml.current_model cascade;
drop table ml.models cascade;
drop table ml.training_parameters cascade;

update ops.source_files set sha256 = repeat('0', 64);

commit;
