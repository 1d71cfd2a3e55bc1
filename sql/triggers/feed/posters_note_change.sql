-- feed.posters -> feed.listing_changes
--
-- One row a poster, however many listings they have.

create or replace function feed.tg_posters__note_change()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into feed.listing_changes (poster_no)
    select u.user_no
    from new_rows as n
    inner join old_rows as o using (poster_uid)
    inner join feed.users as u on n.poster_uid = u.user_uid
    where n.poster_score <> o.poster_score;

    return null;
end;
$$;

comment on function feed.tg_posters__note_change is
'Notes posters whose poster_score changed in listing_changes.';

create or replace trigger t60_note_change
after update on feed.posters
referencing old table as old_rows new table as new_rows
for each statement
execute function feed.tg_posters__note_change();
