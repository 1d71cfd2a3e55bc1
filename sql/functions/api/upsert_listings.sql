-- Listings from the application that owns them.
--
-- Called by   the application (service_role)

create or replace function api.upsert_listings(listings jsonb)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    item jsonb;
    index integer;
    old feed.listings;
    new feed.listings;
    rule text;
    problem text;
    remedy text;
    inserted integer := 0;
    ids jsonb := jsonb '{}';
begin
    perform feed.require_batch(listings, array[
        'listing_id', 'poster_uid', 'external_id', 'title', 'description', 'url', 'image_url',
        'attributes', 'tags', 'lat', 'lon', 'compensation', 'currency', 'status', 'created_at',
        'expires_at'
    ]);

    -- In key order, so that two batches do not deadlock.
    for item, index in
        select
            l.item,
            (l.n - 1)::integer
        from jsonb_array_elements(listings) with ordinality as l (item, n)
        order by l.item ->> 'poster_uid', l.item ->> 'external_id', l.item ->> 'listing_id', l.n
    loop
        old := null;

        -- Before the listing: a poster who deletes their data is locked before their listings.
        if item ->> 'poster_uid' is not null then
            perform feed.ensure_poster((item ->> 'poster_uid')::uuid);
        end if;

        -- Two statements, so that each has its index whatever the plan.
        if item ->> 'listing_id' is not null then
            select l.* into old
            from feed.listings as l
            where l.listing_id = (item ->> 'listing_id')::uuid
            for no key update;
        else
            select l.* into old
            from feed.listings as l
            where
                l.poster_uid = (item ->> 'poster_uid')::uuid
                and l.external_id = item ->> 'external_id'
            for no key update;
        end if;

        if
            item ->> 'listing_id' is null
            and (item ->> 'poster_uid' is null or item ->> 'external_id' is null)
        then
            raise sqlstate 'PT400' using
                message = 'the listing has no key',
                hint = 'Send listing_id, or poster_uid and external_id.';
        end if;

        -- What is left out stays, or has its default.
        new := jsonb_populate_record(
            case
                when old.listing_id is not null then old
                else jsonb_populate_record(
                    null::feed.listings,
                    jsonb_build_object('listing_id', gen_random_uuid(), 'created_at', now())
                )
            end,
            item - 'lat' - 'lon'
        );

        if item ?| array['lat', 'lon'] then
            new.location := feed.make_point(
                (item ->> 'lat')::double precision, (item ->> 'lon')::double precision
            );
        end if;

        if new.created_at > clock_timestamp() then
            raise sqlstate 'PT400' using
                message = 'created_at is in the future',
                hint = 'Leave it out to mean now.';
        end if;

        if old.listing_id is null then
            insert into feed.listings (
                listing_id, poster_uid, external_id, title, description, url, image_url,
                attributes, tags, location, compensation, currency, status, created_at,
                expires_at
            )
            values (
                new.listing_id, new.poster_uid, new.external_id, new.title, new.description,
                new.url, new.image_url, coalesce(new.attributes, '{}'), coalesce(new.tags, '{}'),
                new.location, new.compensation, new.currency, coalesce(new.status, 'open'),
                coalesce(new.created_at, now()), new.expires_at
            );
            inserted := inserted + 1;
        else
            new.tags := feed.normalized_tags(new.tags);
            new.created_at := old.created_at;

            update feed.listings as l
            set
                poster_uid = new.poster_uid,
                external_id = new.external_id,
                title = new.title,
                description = new.description,
                url = new.url,
                image_url = new.image_url,
                attributes = coalesce(new.attributes, '{}'),
                tags = new.tags,
                location = new.location,
                compensation = new.compensation,
                currency = new.currency,
                status = coalesce(new.status, 'open'),
                expires_at = new.expires_at
            where
                l.listing_id = old.listing_id
                and to_jsonb(new) <> to_jsonb(old);
        end if;

        ids := ids || jsonb_build_object(index, new.listing_id);
    end loop;

    return jsonb_build_object(
        'inserted', inserted,
        'updated', jsonb_array_length(listings) - inserted,
        'listing_ids', (
            select coalesce(jsonb_agg(i.value order by i.key::integer), '[]')
            from jsonb_each(ids) as i
        )
    );
exception
    when integrity_constraint_violation or data_exception or sqlstate 'PT400' then
        get stacked diagnostics
            rule = constraint_name,
            problem = message_text,
            remedy = pg_exception_hint;
        perform feed.refuse_batch(index, problem, rule, remedy);
        return null;
end;
$$;

comment on function api.upsert_listings is
'Makes listings, or changes them; for service_role

The key is listing_id or, without it, poster_uid and external_id. Posters become known by it.
Idempotent: the same batch again changes nothing. All or nothing.

Arguments:
- listings: At most 1000: [{"listing_id", "poster_uid", "external_id", "title", "description",
  "url", "image_url", "attributes", "tags", "lat", "lon", "compensation", "currency", "status",
  "created_at", "expires_at"}, …]. A field left out stays as it is, null clears it; created_at and
  poster_uid are set once.

Answers an object:
- inserted: How many were not there.
- updated: How many were there, changed or not.
- listing_ids: In the order of the batch.

Errors:
- 400: No array, more than 1000 rows, an unknown field, no key, or a bad value; the message names
  the row.
- 401: No token, or one that is not believed.
- 403: A token that is not service_role''s.';
