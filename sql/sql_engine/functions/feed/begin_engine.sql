-- Makes anew what the engine in SQL reads, after another engine.
--
-- Called by   bin/apply-code, when it has put the code of this engine in force
-- Writes      feed.listing_digests, feed.listing_blocks, feed.listing_changes

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
end;
$$;

comment on function feed.begin_engine is
'Writes the digests of all listings, and empties what only the engine in Python reads.';

revoke execute on function feed.begin_engine from public;
