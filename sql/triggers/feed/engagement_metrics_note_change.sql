-- feed.engagement_metrics -> feed.listing_changes
--
-- Only engagement_score is ranked, and only the hourly job writes it: counting, which happens
-- all the time, does not come here.

create or replace function feed.tg_engagement_metrics__note_change()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into feed.listing_changes (listing_no)
    select l.listing_no
    from feed.listings as l
    where l.listing_id = new.listing_id;

    return null;
end;
$$;

comment on function feed.tg_engagement_metrics__note_change is
'Notes a listing whose engagement_score changed in listing_changes.';

create or replace trigger t60_note_change_of_new
after insert on feed.engagement_metrics
for each row
when (new.engagement_score <> 0)
execute function feed.tg_engagement_metrics__note_change();

create or replace trigger t60_note_change_of_changed
after update of engagement_score on feed.engagement_metrics
for each row
when (new.engagement_score <> old.engagement_score)
execute function feed.tg_engagement_metrics__note_change();
