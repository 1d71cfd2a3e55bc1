-- Replaceable code that needed them goes along.

begin;

revoke usage on schema ext from public;
drop extension if exists pg_cron cascade;
drop extension plpython3u cascade;
drop extension pg_stat_statements cascade;
drop extension pgcrypto cascade;
drop extension postgis cascade;

commit;
