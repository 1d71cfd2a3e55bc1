-- Hands jobs.schedules to pg_cron.
--
-- Run at every start: pg_cron keeps the socket and the port of the day it was told. Only a
-- superuser may schedule for another role; whoever is none, as where others run the server, has
-- the jobs as their own.
--
-- Called by   bin/up
-- Writes      cron.job

create or replace function jobs.schedule_all()
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    planned record;
    scheduled integer := 0;
    is_superuser constant boolean := (
        select r.rolsuper from pg_roles as r
        where r.rolname = current_user
    );
begin
    if to_regnamespace('cron') is null then
        raise notice 'pg_cron is not in this database: nothing is scheduled';
        return 0;
    end if;

    if not has_schema_privilege('cron', 'usage') then
        raise notice '% may not use pg_cron: nothing is scheduled', current_user;
        return 0;
    end if;

    for planned in
        select c.jobid
        from cron.job as c
        where
            c.jobname like 'pgfeed %'
            and c.database = current_database()
    loop
        -- By number: by name pg_cron finds only the caller's own jobs, and these are feed_worker's.
        perform cron.unschedule(planned.jobid);
    end loop;

    for planned in
        select
            s.job,
            s.schedule,
            s.command
        from jobs.schedules as s
        where s.is_enabled
        order by s.job
    loop
        if is_superuser then
            perform cron.schedule_in_database(
                'pgfeed ' || planned.job,
                planned.schedule,
                planned.command,
                current_database(),
                'feed_worker'
            );
        else
            perform cron.schedule('pgfeed ' || planned.job, planned.schedule, planned.command);
        end if;

        scheduled := scheduled + 1;
    end loop;

    return scheduled;
end;
$$;

comment on function jobs.schedule_all is
'Schedules every job of jobs.schedules that is enabled, and no other, in pg_cron, and returns how
many: as feed_worker when a superuser calls it, as the caller otherwise. Without pg_cron in this
database, or the right to use it: 0, with a notice.';
