-- Drops one month that has outlived its time; counters and exclusions stay.
--
-- All in the caller's transaction: killed at any point, nothing has happened. The log is locked
-- only at the very end and only for the dropping, in short tries: whoever reads or writes it
-- queues behind a waiting lock.
--
-- Called by   jobs.keep_house
-- Writes      feed.engagement_base, feed.interaction_keys, the partitions
-- Costs       the month, and all of interaction_keys

create or replace function feed.drop_outlived_partition(partition regclass)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    tries constant integer := 60;
    lock_wait constant interval := interval '500 milliseconds';
    pause constant interval := interval '500 milliseconds';
    instant constant interval := interval '1 microsecond';
    outlived record;
begin
    -- A load takes the users for itself before it comes to the log: one waits for the other here.
    lock table feed.users in row share mode;

    -- From here on nobody deletes from the log, and nobody adds to a month so long past.
    perform pg_advisory_xact_lock(feed.retention_lock_key());

    select
        o.parent,
        o.from_time,
        o.to_time
    into outlived
    from feed.outlived_partitions as o
    where o.partition = drop_outlived_partition.partition;

    if not found then
        return false;
    end if;

    if outlived.parent = 'feed.user_interactions'::regclass then
        -- Against those who write to the tables themselves.
        execute format('lock table %s in exclusive mode', partition);

        perform feed.move_to_base(outlived.from_time - instant, outlived.to_time - instant);

        delete from feed.interaction_keys as k
        where
            k.created_at >= outlived.from_time
            and k.created_at < outlived.to_time;
    end if;

    perform set_config(
        'lock_timeout', (extract(epoch from lock_wait) * 1000)::integer::text, true
    );

    for try in 1..tries
    loop
        begin
            execute format('drop table %s', partition);
            return true;
        exception
            when lock_not_available then
                if try = tries then
                    raise;
                end if;

                perform pg_sleep_for(pause);
        end;
    end loop;

    return false;
end;
$$;

comment on function feed.drop_outlived_partition is
'Drops a partition that is in feed.outlived_partitions, and returns whether it was. Of the log,
what counted is first added to engagement_base, and the events'' keys are deleted.';
