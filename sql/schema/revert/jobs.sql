-- Replaceable code that needed this goes along; bin/apply-code puts it back.

begin;

drop table jobs.runs cascade;
drop table jobs.schedules cascade;

delete from ops.source_files;

commit;
