-- Replaceable code that needed this goes along; bin/apply-code puts it back.

begin;

drop table feed.data_lifetimes cascade;

delete from ops.source_files;

commit;
