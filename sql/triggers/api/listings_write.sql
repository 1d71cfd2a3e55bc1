-- api.listings -> feed.listings
--
-- Runs with the rights of the caller: the policies of feed.listings decide.

create or replace function api.tg_listings__write()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if new.title is null then
        raise sqlstate 'PT400' using
            message = 'title is missing',
            hint = 'A listing needs a title.';
    elsif octet_length(array_to_string(new.tags, ',')) > 16384 then
        -- Everybody near gets them, two hundred listings at once. The application that owns the
        -- listings (upsert_listings, a load) knows what it does.
        raise sqlstate 'PT400' using
            message = 'the tags together have more than 16384 bytes',
            hint = 'Send fewer tags, or shorter ones.';
    end if;

    if tg_op = 'INSERT' then
        new.poster_uid := coalesce(new.poster_uid, identity.user_uid());

        if new.poster_uid is null then
            raise sqlstate 'PT400' using
                message = 'poster_uid is missing',
                hint = 'Say who posts it; service_role is nobody itself.';
        end if;

        new.listing_id := coalesce(new.listing_id, gen_random_uuid());
        new.status := coalesce(new.status, 'open');
        new.created_at := now();
        perform feed.ensure_poster(new.poster_uid);

        insert into feed.listings (
            listing_id, poster_uid, external_id, title, description, url, image_url,
            attributes, tags, location, compensation, currency, status, expires_at
        )
        values (
            new.listing_id, new.poster_uid, new.external_id, new.title, new.description, new.url,
            new.image_url, coalesce(new.attributes, '{}'), coalesce(new.tags, '{}'),
            feed.make_point(new.lat, new.lon), new.compensation, new.currency, new.status,
            new.expires_at
        )
        returning attributes, tags into new.attributes, new.tags;

        return new;
    end if;

    if
        new.listing_id <> old.listing_id
        or new.poster_uid is distinct from old.poster_uid
        or new.created_at <> old.created_at
    then
        raise sqlstate 'PT400' using
            message = 'listing_id, poster_uid and created_at are set once',
            hint = 'Leave them out.';
    end if;

    update feed.listings as l
    set
        external_id = new.external_id,
        title = new.title,
        description = new.description,
        url = new.url,
        image_url = new.image_url,
        attributes = coalesce(new.attributes, '{}'),
        tags = coalesce(new.tags, '{}'),
        location = feed.make_point(new.lat, new.lon),
        compensation = new.compensation,
        currency = new.currency,
        status = coalesce(new.status, 'open'),
        expires_at = new.expires_at
    where l.listing_id = old.listing_id
    returning l.attributes, l.tags into new.attributes, new.tags;

    if not found then
        raise sqlstate 'PT403' using
            message = 'this is somebody else''s listing',
            hint = 'A poster changes their own listings only.';
    end if;

    return new;
end;
$$;

comment on function api.tg_listings__write is
'Writes a row of api.listings to feed.listings, with the rights of the caller.';

create or replace trigger t50_write
instead of insert or update on api.listings
for each row
execute function api.tg_listings__write();
