-- feed.listings -> feed.listing_changes
--
-- A listing that is new, or whose ranked columns changed, is read beside the blocks until it
-- is folded. Pay is in no block, but in the vectors, which sessions keep by block.

create or replace function feed.tg_listings__note_change()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        insert into feed.listing_changes (listing_no)
        select n.listing_no from new_rows as n;
    elsif tg_op = 'UPDATE' then
        insert into feed.listing_changes (listing_no)
        select n.listing_no
        from new_rows as n
        inner join old_rows as o using (listing_no)
        where
            (
                n.tags, n.location::text, n.status, n.expires_at, n.created_at, n.poster_uid,
                n.compensation, n.currency
            )
            is distinct from
            (
                o.tags, o.location::text, o.status, o.expires_at, o.created_at, o.poster_uid,
                o.compensation, o.currency
            );
    else
        insert into feed.listing_changes (listing_no)
        select o.listing_no from old_rows as o;
    end if;

    return null;
end;
$$;

comment on function feed.tg_listings__note_change is
'Notes listings that are new, changed or gone in listing_changes.';

create or replace trigger t90_note_change_of_new
after insert on feed.listings
referencing new table as new_rows
for each statement
execute function feed.tg_listings__note_change();

create or replace trigger t90_note_change_of_changed
after update on feed.listings
referencing old table as old_rows new table as new_rows
for each statement
execute function feed.tg_listings__note_change();

create or replace trigger t90_note_change_of_gone
after delete on feed.listings
referencing old table as old_rows
for each statement
execute function feed.tg_listings__note_change();
