-- Replaceable code that needed this goes along; bin/apply-code puts it back.

begin;

alter table feed.ranking_profiles
drop column is_offered cascade,
drop column evaluation cascade;

update ops.source_files set sha256 = repeat('0', 64);

commit;
