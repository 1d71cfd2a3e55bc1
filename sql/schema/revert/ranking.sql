-- Replaceable code that needed this goes along; bin/apply-code puts it back.

begin;

drop table feed.ranking_profiles cascade;

delete from ops.source_files;

commit;
