-- There are no blocks: what training notes as changed is let go.
--
-- Called by   jobs.refresh_trending, jobs.refresh_engagement
-- Writes      feed.listing_changes

create or replace function feed.fold_changes(chosen integer[] default null)
returns table (changes integer, blocks integer)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from feed.listing_changes as c
    where chosen is null or c.listing_no = any(chosen);
    get diagnostics changes = row_count;
    blocks := 0;
    return next;
end;
$$;

comment on function feed.fold_changes is
'Removes changes, all of them or only those of these listing_nos; the engine in SQL reads none, and
has no blocks. Returns how many.';

revoke execute on function feed.fold_changes from public;
