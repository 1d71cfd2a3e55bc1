-- Makes anew what the engine in SQL reads, after another engine.
--
-- Called by   bin/apply-code, when it has put the code of this engine in force
-- Writes      feed.listing_digests, feed.listing_blocks, feed.listing_changes, jobs.schedules

create or replace function feed.begin_engine()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from feed.listing_blocks;
    delete from feed.listing_changes;
    delete from feed.listing_digests;
    perform feed.write_listing_digests();

    -- Nothing in this server runs them.
    delete from jobs.schedules as s
    where s.job in ('train_models', 'update_models', 'fit_profile');
end;
$$;

comment on function feed.begin_engine is
'Writes the digests of all listings, empties what only the engine in Python reads, and takes the
jobs out of the schedule that need Python in the server.';

revoke execute on function feed.begin_engine from public;
