begin;

drop table jobs.runs;
drop table jobs.schedules;

commit;
