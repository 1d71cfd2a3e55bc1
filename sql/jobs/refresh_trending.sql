-- Every 15 minutes: the trending listings, and changes into the blocks.
--
-- Concurrently, so that readers never wait.
--
-- Writes      feed.trending_listings, feed.listing_blocks, feed.listing_changes

create or replace procedure jobs.refresh_trending()
language plpgsql
as $$
declare
    run bigint;
    folded record;
begin
    run := jobs.begin_run('refresh_trending');
    if run is null then
        return;
    end if;
    commit;

    refresh materialized view concurrently feed.trending_listings;

    commit;

    select
        f.changes,
        f.blocks
    into folded
    from feed.fold_changes() as f;

    perform jobs.end_run(
        run,
        (select count(*) from feed.trending_listings),
        jsonb_build_object('changes_folded', folded.changes, 'blocks_written', folded.blocks)
    );
    commit;
end;
$$;

comment on procedure jobs.refresh_trending is
'Every 15 minutes: refreshes feed.trending_listings and folds
changed listings into the blocks.';

insert into jobs.schedules (job, schedule, command, target)
values ('refresh_trending', '*/15 * * * *', 'call jobs.refresh_trending()', '30 seconds')
on conflict (job) do update set
    schedule = excluded.schedule,
    command = excluded.command,
    target = excluded.target;
