-- Records one interaction of the caller.
--
-- The gateway's path carries the listing in the request header X-Listing-Id.
--
-- Called by   clients

create or replace function api.track_interaction(
    listing_id uuid default null,
    type text default null,
    metadata jsonb default null,
    event_id uuid default null,
    occurred_at timestamptz default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    path_listing_id constant text
    := nullif(current_setting('request.headers', true), '')::json ->> 'x-listing-id';
    outcome record;
begin
    if identity.user_uid() is null then
        raise sqlstate 'PT401' using
            message = 'nobody is signed in',
            hint = 'Send "Authorization: Bearer TOKEN" with the user''s token.';
    end if;

    if nullif(path_listing_id, '') <> listing_id::text then
        raise sqlstate 'PT400' using
            message = 'the path and the body name different listings',
            hint = 'Leave listing_id out of the body.';
    end if;

    select r.* into outcome
    from feed.record_interactions(
        jsonb_build_array(
            jsonb_build_object(
                'user_uid', identity.user_uid(),
                'listing_id', coalesce(listing_id::text, nullif(path_listing_id, '')),
                'type', type,
                'metadata', metadata,
                'event_id', event_id,
                'occurred_at', to_jsonb(occurred_at)
            )
        ),
        false
    ) as r;

    if outcome.status = 'error' then
        raise exception using
            errcode = 'PT' || outcome.error_status,
            message = outcome.problem,
            hint = outcome.remedy;
    end if;

    return jsonb_build_object(
        'event_id', outcome.event_id,
        'status', outcome.status,
        'created_at', outcome.created_at
    );
end;
$$;

comment on function api.track_interaction is
'Records one interaction of the caller: view, click, apply, save, share or dismiss

Answers {"event_id", "status", "created_at"}. Send your own event_id (a random uuid) to be able
to try again: the same event with the same content changes nothing and answers "duplicate";
with other content 409. metadata is an object of at most 4096 bytes; {"seconds": 42} on a view.
occurred_at, for an event from while offline, is at most 7 days ago and never in the future.

400 bad input, 401 no token, 404 no such listing, 409 application to a closed or expired
listing, or an event_id that was used for something else.';
