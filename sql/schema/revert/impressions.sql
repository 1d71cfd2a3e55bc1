-- Replaceable code that needed this goes along; bin/apply-code puts it back.

begin;

drop table feed.ticket_keys cascade;
drop table feed.feed_impressions cascade;

delete from ops.source_files;

commit;
