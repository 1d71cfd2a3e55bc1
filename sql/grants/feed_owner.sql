-- What the owner needs outside its schemas, and with it feed_worker.
--
-- Called by   the jobs

do $$
begin
    -- refresh materialized view concurrently compares through a temporary table
    execute format('grant temporary on database %I to feed_owner', current_database());

    -- jobs.keep_house purges the runs of feed_worker, which pg_cron keeps for ever; pg_cron's
    -- own policies show each role its own rows only
    if
        to_regnamespace('cron') is not null
        -- Where others run the server, who deploys may not hand it on, and runs the jobs.
        and has_schema_privilege('cron', 'usage with grant option')
    then
        grant usage on schema cron to feed_owner;
        grant select, delete on cron.job_run_details to feed_owner;
    end if;
end;
$$;
