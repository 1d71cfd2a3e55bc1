-- Listings by the block that holds them, for work that goes block by block.
--
-- Called by   jobs.refresh_engagement
-- Costs       the listing_nos of every block, 4 bytes a listing

create or replace function feed.group_by_block(listing_nos integer[])
returns table (block_no integer, listing_nos_of_block integer[])
language plpython3u
stable
set search_path = pg_catalog, pg_temp
as $$
from pgfeed.engine.server import group_by_block
return group_by_block(listing_nos)
$$;

comment on function feed.group_by_block is
'These listings by block; block_no is null for those that are in no block.';

revoke execute on function feed.group_by_block from public;
grant execute on function feed.group_by_block to feed_owner;
