-- Takes what changed into the blocks.
--
-- One fold at a time (advisory lock until commit). Readers go on with the blocks and changes
-- of their snapshot.
--
-- Called by   jobs.refresh_trending, jobs.refresh_engagement
-- Writes      feed.listing_blocks, feed.listing_changes
-- Costs       the blocks that hold, or get, a changed listing

create or replace function feed.fold_changes(chosen integer[] default null)
returns table (changes integer, blocks integer)
language plpython3u
set search_path = pg_catalog, pg_temp
as $$
from pgfeed.engine.server import fold_changes
return [fold_changes(chosen)]
$$;

comment on function feed.fold_changes is
'Writes the blocks of changed listings anew, all of them or only these listing_nos, and removes
exactly the changes that it read. Returns how many changes and blocks.';

revoke execute on function feed.fold_changes from public;
grant execute on function feed.fold_changes to feed_owner;
