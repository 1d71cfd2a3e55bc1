-- Replaceable code that needed this goes along; bin/apply-code puts it back.

begin;

drop table feed.listings cascade;
drop type feed.listing_status cascade;

delete from ops.source_files;

commit;
