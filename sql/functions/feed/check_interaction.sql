-- One event of a client, read and judged: either all its fields are right, or problem says
-- what is wrong with it.
--
-- Nothing is raised here, so that a batch can skip a bad event and name it.
--
-- Called by   feed.record_interactions

create or replace function feed.check_interaction(
    event jsonb,
    caller uuid,
    is_service boolean,
    out user_uid uuid,
    out listing_id uuid,
    out type feed.interaction_type,
    out metadata jsonb,
    out event_id uuid,
    out occurred_at timestamptz,
    out status integer,
    out problem text,
    out remedy text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    uuid_form constant text := '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
    type_names constant text := array_to_string(enum_range(null::feed.interaction_type), ', ');
    unknown_field text;
    listing feed.listings;
begin
    status := 400;

    if jsonb_typeof(event) is distinct from 'object' then
        problem := 'an event must be an object';
        remedy := 'Send {"listing_id": …, "type": …}.';
        return;
    end if;

    select k into unknown_field
    from jsonb_object_keys(event) as k
    where k not in ('user_uid', 'listing_id', 'type', 'metadata', 'event_id', 'occurred_at')
    order by k
    limit 1;

    if unknown_field is not null then
        problem := format('unknown field "%s"', feed.one_line(unknown_field));
        remedy := 'Known are user_uid, listing_id, type, metadata, event_id and occurred_at.';
        return;
    end if;

    if event ->> 'user_uid' is null then
        user_uid := caller;
    elsif event ->> 'user_uid' ~ uuid_form then
        user_uid := (event ->> 'user_uid')::uuid;
    else
        problem := format('user_uid "%s" is not a uuid', feed.one_line(event ->> 'user_uid'));
        remedy := 'Send the uuid of the user, or leave it out to mean the token''s own.';
        return;
    end if;

    if user_uid is null then
        problem := 'user_uid is missing';
        remedy := 'Say whose interaction it is.';
        return;
    end if;

    if event ->> 'listing_id' is null then
        problem := 'listing_id is missing';
        remedy := 'Say which listing.';
        return;
    elsif event ->> 'listing_id' !~ uuid_form then
        problem := format('listing_id "%s" is not a uuid', feed.one_line(event ->> 'listing_id'));
        remedy := 'Send the listing_id that the feed gave.';
        return;
    end if;

    listing_id := (event ->> 'listing_id')::uuid;

    if event ->> 'type' is null then
        problem := 'type is missing';
        remedy := format('Send one of %s.', type_names);
        return;
    elsif event ->> 'type' <> all (enum_range(null::feed.interaction_type)::text []) then
        problem := format('unknown interaction type "%s"', feed.one_line(event ->> 'type'));
        remedy := format('Send one of %s.', type_names);
        return;
    end if;

    type := (event ->> 'type')::feed.interaction_type;

    metadata := coalesce(nullif(event -> 'metadata', 'null'), '{}');

    if jsonb_typeof(metadata) <> 'object' then
        problem := 'metadata is not an object';
        remedy := 'Send {"seconds": 42}, or leave it out.';
        return;
    elsif octet_length(metadata::text) > 4096 then
        problem := 'metadata is larger than 4096 bytes';
        remedy := 'Send less.';
        return;
    elsif
        metadata ? 'seconds'
        and (
            case jsonb_typeof(metadata -> 'seconds')
                when 'number' then (metadata -> 'seconds')::numeric not between 0 and 86400
                else true
            end
        )
    then
        problem := 'metadata.seconds is not a number of seconds between 0 and 86400';
        remedy := 'Send how long the listing was looked at, in seconds.';
        return;
    end if;

    if event ->> 'event_id' is null then
        event_id := gen_random_uuid();
    elsif event ->> 'event_id' ~ uuid_form then
        event_id := (event ->> 'event_id')::uuid;
    else
        problem := format('event_id "%s" is not a uuid', feed.one_line(event ->> 'event_id'));
        remedy := 'Make a random uuid for every event, and send the same one when trying again.';
        return;
    end if;

    if event ->> 'occurred_at' is not null then
        occurred_at := feed.try_timestamptz(event ->> 'occurred_at');

        if occurred_at is null then
            problem := format('occurred_at "%s" is not a time', feed.one_line(event ->> 'occurred_at'));
            remedy := 'Send ISO 8601 with a zone: 2026-01-31T12:00:00Z.';
            return;
        elsif occurred_at > clock_timestamp() then
            problem := 'occurred_at is in the future';
            remedy := 'Send when it happened, or leave it out to mean now.';
            return;
        elsif occurred_at < clock_timestamp() - interval '7 days' then
            problem := 'occurred_at is more than 7 days ago';
            remedy := 'Drop the event: it is too old to count.';
            return;
        end if;
    end if;

    if user_uid <> caller or caller is null then
        if not is_service then
            status := 403;
            problem := 'this is somebody else''s interaction';
            remedy := 'Leave user_uid out, or send your own.';
            return;
        elsif not exists (
            select from feed.users as u
            where u.user_uid = check_interaction.user_uid
        ) then
            status := 404;
            problem := format('there is no user %s', user_uid);
            remedy := 'Make the user known with upsert_users first.';
            return;
        end if;
    end if;

    select l.* into listing
    from feed.listings as l
    where l.listing_id = check_interaction.listing_id;

    if listing.listing_id is null then
        status := 404;
        problem := format('there is no listing %s', listing_id);
        remedy := 'Send the listing_id that the feed gave.';
        return;
    elsif type = 'apply' and (listing.status = 'closed' or listing.expires_at <= now()) then
        -- A repetition of an application that was recorded while it was open is still one.
        if not exists (
            select from feed.interaction_keys as k
            where
                k.user_uid = check_interaction.user_uid
                and k.event_id = check_interaction.event_id
        ) then
            status := 409;
            problem := 'the listing is closed';
            remedy := 'It takes no more applications; every other interaction is welcome.';
            return;
        end if;
    end if;

    status := 200;
end;
$$;

comment on function feed.check_interaction is
'Reads one event {listing_id, type, metadata, event_id, occurred_at, user_uid}. status is 200,
or 400, 403, 404 or 409 with the problem and its remedy.';
