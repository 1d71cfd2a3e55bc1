-- Replaceable code that needed this goes along; bin/apply-code puts it back.

begin;

drop table feed.listing_digests cascade;
drop table ops.engine_in_force cascade;
drop type ops.feed_engine cascade;
-- Not what others built on it.
drop extension if exists intarray;

update ops.source_files set sha256 = repeat('0', 64);

commit;
