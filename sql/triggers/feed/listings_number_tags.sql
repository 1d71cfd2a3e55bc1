-- feed.listings -> feed.tag_numbers
--
-- In the writer's transaction, so that whoever sees the listing sees the numbers of its tags.

create or replace function feed.tg_listings__number_tags()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into feed.tag_numbers (tag)
    select distinct t.tag
    from new_rows as n
    cross join lateral unnest(n.tags) as t (tag)
    where not exists (
        select from feed.tag_numbers as k
        where k.tag = t.tag
    )
    order by t.tag
    on conflict do nothing;

    return null;
end;
$$;

comment on function feed.tg_listings__number_tags is
'Numbers the tags of new and changed listings that have no number yet.';

revoke execute on function feed.tg_listings__number_tags from public;

create or replace trigger t50_number_tags_of_new
after insert on feed.listings
referencing new table as new_rows
for each statement
execute function feed.tg_listings__number_tags();

create or replace trigger t50_number_tags_of_changed
after update on feed.listings
referencing new table as new_rows
for each statement
execute function feed.tg_listings__number_tags();
