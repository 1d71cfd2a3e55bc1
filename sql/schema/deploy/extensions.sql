-- PostGIS and its companions, in ext where they may live there.
--
-- pg_cron lives in one database of a cluster: a scratch database does without, and
-- jobs.schedule_all then says so.

begin;

create extension postgis with schema ext;
create extension pgcrypto with schema ext;
create extension pg_stat_statements with schema ext;
create extension plpython3u;

do $$
begin
    if current_setting('cron.database_name', true) = current_database() then
        create extension pg_cron;
    end if;
end;
$$;

grant usage on schema ext to public;

-- The statements of others are not for everybody's eyes.
revoke all on ext.pg_stat_statements from public;
revoke all on ext.pg_stat_statements_info from public;

-- A definer function of a superuser's: it would tell anybody who can log in within which bounds
-- all users live.
revoke execute on function
ext.st_estimatedextent(text, text),
ext.st_estimatedextent(text, text, text),
ext.st_estimatedextent(text, text, text, boolean)
from public;

commit;
