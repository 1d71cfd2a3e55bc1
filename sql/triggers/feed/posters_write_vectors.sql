-- feed.posters -> ml.listing_vectors
--
-- poster_score is part of the vectors of a poster's listings.

create or replace function feed.tg_posters__write_vectors()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    listing_nos integer [];
begin
    select array_agg(l.listing_no)
    into listing_nos
    from new_rows as n
    inner join old_rows as o using (poster_uid)
    inner join feed.listings as l using (poster_uid)
    where n.poster_score <> o.poster_score;

    if listing_nos is not null then
        perform ml.write_listing_vectors(listing_nos);
    end if;

    return null;
end;
$$;

comment on function feed.tg_posters__write_vectors is
'Writes the feature vectors of the listings of posters whose poster_score changed.';

revoke execute on function feed.tg_posters__write_vectors from public;

create or replace trigger t50_write_vectors
after update on feed.posters
referencing old table as old_rows new table as new_rows
for each statement
execute function feed.tg_posters__write_vectors();
