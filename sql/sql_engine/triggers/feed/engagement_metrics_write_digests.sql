-- feed.engagement_metrics -> feed.listing_digests
--
-- Only the hourly job changes a score. A trigger a statement, though counting comes by with every
-- interaction: triggers a row would write digests in the order of the rows, and deadlock with
-- whoever writes several listings.

create or replace function feed.tg_engagement_metrics__write_digests()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    listing_ids uuid [];
begin
    if tg_op = 'INSERT' then
        select array_agg(n.listing_id)
        into listing_ids
        from new_rows as n
        where n.engagement_score <> 0;
    else
        select array_agg(n.listing_id)
        into listing_ids
        from new_rows as n
        inner join old_rows as o using (listing_id)
        where n.engagement_score <> o.engagement_score;
    end if;

    if listing_ids is null then
        return null;
    end if;

    perform
    from feed.listing_digests as d
    where d.listing_no in (
        select l.listing_no from feed.listings as l
        where l.listing_id = any(listing_ids)
    )
    order by d.listing_no
    for no key update;

    update feed.listing_digests as d
    set engagement_score = n.engagement_score
    from new_rows as n
    inner join feed.listings as l using (listing_id)
    where
        d.listing_no = l.listing_no
        and n.listing_id = any(listing_ids);

    return null;
end;
$$;

comment on function feed.tg_engagement_metrics__write_digests is
'Writes engagement scores that are new or changed into the digests.';

revoke execute on function feed.tg_engagement_metrics__write_digests from public;

create or replace trigger t90_write_digests_of_new
after insert on feed.engagement_metrics
referencing new table as new_rows
for each statement
execute function feed.tg_engagement_metrics__write_digests();

create or replace trigger t90_write_digests_of_changed
after update on feed.engagement_metrics
referencing old table as old_rows new table as new_rows
for each statement
execute function feed.tg_engagement_metrics__write_digests();
