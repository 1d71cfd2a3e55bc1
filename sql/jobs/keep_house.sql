-- Nightly: partitions ahead, run logs and request counts kept short, and months dropped that have
-- outlived what feed.data_lifetimes allows (nothing, unless the operator says so).
--
-- Writes      partitions of the log, feed.engagement_base, feed.interaction_keys, jobs.runs,
--             ops.request_counts, cron.job_run_details (never purged by pg_cron)

create or replace procedure jobs.keep_house()
language plpgsql
as $$
declare
    keep_runs constant interval := interval '90 days';
    keep_cron_runs constant interval := interval '7 days';
    keep_requests constant interval := interval '90 days';
    run bigint;
    made integer;
    purged bigint;
    requests_purged bigint;
    outlived record;
    dropped integer := 0;
begin
    run := jobs.begin_run('keep_house');
    if run is null then
        return;
    end if;
    commit;

    made := feed.ensure_partitions(now() - interval '1 month', now() + interval '3 months');
    commit;

    delete from jobs.runs as r
    where r.started_at < now() - keep_runs;
    get diagnostics purged = row_count;

    delete from ops.request_counts as c
    where c.hour < now() - keep_requests;
    get diagnostics requests_purged = row_count;

    if exists (
        select from pg_class as c
        where
            c.relnamespace = to_regnamespace('cron')
            and c.relname = 'job_run_details'
            and has_schema_privilege(c.relnamespace, 'usage')
            and has_table_privilege(c.oid, 'delete')
    ) then
        execute 'delete from cron.job_run_details as d
            where d.start_time < now() - $1 and d.username = current_user'
        using keep_cron_runs;
    end if;

    commit;

    for outlived in
        select o.partition
        from feed.outlived_partitions as o
        order by o.to_time, o.partition::text
    loop
        if feed.drop_outlived_partition(outlived.partition) then
            dropped := dropped + 1;
        end if;
        commit;
    end loop;

    perform jobs.end_run(
        run,
        made + purged + requests_purged + dropped,
        jsonb_build_object(
            'partitions_made', made,
            'runs_purged', purged,
            'request_counts_purged', requests_purged,
            'partitions_dropped', dropped
        )
    );
    commit;
end;
$$;

comment on procedure jobs.keep_house is
'Nightly: makes the partitions of the coming three months, purges run logs and request
counts older than 90 days and pg_cron''s older than 7, and drops the months that have outlived
feed.data_lifetimes.';

insert into jobs.schedules (job, schedule, command, target)
values ('keep_house', '30 3 * * *', 'call jobs.keep_house()', '1 minute')
on conflict (job) do update set
    schedule = excluded.schedule,
    command = excluded.command,
    target = excluded.target;
