-- feed.listings -> ml.listing_vectors
--
-- A new listing has its vector from its commit on, and a changed one its new vector.

create or replace function feed.tg_listings__write_vectors()
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
            (n.tags, n.location::text, n.compensation, n.currency, n.poster_uid)
            is distinct from
            (o.tags, o.location::text, o.compensation, o.currency, o.poster_uid);
    end if;

    if listing_nos is not null then
        perform ml.write_listing_vectors(listing_nos);
    end if;

    return null;
end;
$$;

comment on function feed.tg_listings__write_vectors is
'Writes the feature vectors of new and changed listings under the model in force.';

revoke execute on function feed.tg_listings__write_vectors from public;

create or replace trigger t50_write_vectors_of_new
after insert on feed.listings
referencing new table as new_rows
for each statement
execute function feed.tg_listings__write_vectors();

create or replace trigger t50_write_vectors_of_changed
after update on feed.listings
referencing old table as old_rows new table as new_rows
for each statement
execute function feed.tg_listings__write_vectors();
