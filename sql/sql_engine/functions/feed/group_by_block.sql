-- Listings in batches, for work that goes batch by batch.
--
-- Called by   jobs.refresh_engagement

create or replace function feed.group_by_block(listing_nos integer[])
returns table (block_no integer, listing_nos_of_block integer[])
language sql
stable
begin atomic
    select
        ((u.place - 1) / p.block_size)::integer,
        array_agg(u.listing_no)
    from feed.block_parameters as p
    cross join
        lateral unnest(group_by_block.listing_nos) with ordinality as u (listing_no, place)
    group by 1;
end;

comment on function feed.group_by_block is
'These listings, feed.block_parameters.block_size of them at most in a batch.';

revoke execute on function feed.group_by_block from public;
