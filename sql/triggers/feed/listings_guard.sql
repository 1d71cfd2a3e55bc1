-- feed.listings: normal form, and what never changes
--
-- created_at and poster_uid stay as they were first written: a poster cannot renew a listing,
-- and whose interactions count must not change behind the counters. When a poster's data are
-- deleted, their interactions go first, and then the foreign key takes them out of here.

create or replace function feed.tg_listings__guard()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    new.tags := feed.normalized_tags(new.tags);

    if tg_op = 'INSERT' then
        new.changed_xid := pg_current_xact_id();
        return new;
    end if;

    if new.poster_uid is distinct from old.poster_uid then
        -- By itself, since whoever writes a listing may not read posters.
        if new.poster_uid is not null or exists (
            select from feed.posters as p
            where p.poster_uid = old.poster_uid
        ) then
            raise exception 'a listing keeps its poster' using
                errcode = 'restrict_violation',
                hint = 'Close this listing and post another.';
        end if;
    end if;

    new.created_at := old.created_at;

    if
        (new.tags, new.location, new.compensation, new.currency, new.status, new.expires_at)
        is distinct from
        (old.tags, old.location, old.compensation, old.currency, old.status, old.expires_at)
    then
        new.changed_xid := pg_current_xact_id();
    end if;

    return new;
end;
$$;

comment on function feed.tg_listings__guard is
'Normalises tags, keeps poster_uid and created_at, notes the transaction that changed what is
ranked.';

create or replace trigger t10_guard
before insert or update on feed.listings
for each row
execute function feed.tg_listings__guard();
