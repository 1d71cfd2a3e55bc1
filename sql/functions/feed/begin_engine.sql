-- Makes anew what the engine in Python reads, after another engine.
--
-- Called by   bin/apply-code, when it has put the code of this engine in force
-- Writes      feed.listing_blocks, feed.listing_changes

create or replace function feed.begin_engine()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from feed.listing_blocks;
    delete from feed.listing_changes;
    insert into feed.listing_changes (listing_no)
    select l.listing_no
    from feed.listings as l
    where l.status = 'open'
    order by l.listing_no;
end;
$$;

comment on function feed.begin_engine is
'Empties the blocks and notes every open listing as changed; the next fold packs them.';

revoke execute on function feed.begin_engine from public;
