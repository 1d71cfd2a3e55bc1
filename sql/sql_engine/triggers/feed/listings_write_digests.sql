-- feed.listings -> feed.listing_digests
--
-- A listing that is gone takes its digest along, by the foreign key.

create or replace function feed.tg_listings__write_digests()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    listing_nos integer [];
begin
    if tg_op = 'INSERT' then
        select array_agg(n.listing_no) into listing_nos from new_rows as n;
    else
        select array_agg(n.listing_no)
        into listing_nos
        from new_rows as n
        inner join old_rows as o using (listing_no)
        where
            (n.tags, n.location::text, n.status, n.expires_at, n.created_at, n.poster_uid)
            is distinct from
            (o.tags, o.location::text, o.status, o.expires_at, o.created_at, o.poster_uid);
    end if;

    if listing_nos is not null then
        perform feed.write_listing_digests(listing_nos);
    end if;

    return null;
end;
$$;

comment on function feed.tg_listings__write_digests is
'Writes the digests of new and changed listings.';

revoke execute on function feed.tg_listings__write_digests from public;

create or replace trigger t90_write_digests_of_new
after insert on feed.listings
referencing new table as new_rows
for each statement
execute function feed.tg_listings__write_digests();

create or replace trigger t90_write_digests_of_changed
after update on feed.listings
referencing old table as old_rows new table as new_rows
for each statement
execute function feed.tg_listings__write_digests();
