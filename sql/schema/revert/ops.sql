begin;

drop table ops.source_files;

commit;
