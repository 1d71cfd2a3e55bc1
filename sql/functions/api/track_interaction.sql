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

It counts from its commit on: the next feed leaves the listing out, for ever after apply and
dismiss, for 30 days after the others. A closed listing takes everything but apply. A token of
service_role has no interactions of its own, and names users in track_interactions.

Arguments:
- listing_id: The listing; the gateway takes it from its path.
- type: view, click, apply, save, share or dismiss.
- metadata: An object of at most 4096 bytes; {"seconds": 42} on a view, from 0 to 86400.
- event_id: A random uuid of the client''s own, to be able to try again: the same event with the
  same content changes nothing. The server makes one if it is left out.
- occurred_at: When it happened, for an event from while offline: at most 7 days ago, never in the
  future; now if it is left out.

Answers an object:
- event_id: What retract_interaction takes.
- status: recorded, or duplicate if it was there already.
- created_at: When it counts as having happened.

Errors:
- 400: Bad input; the message names it.
- 401: No token, or one that is not believed.
- 404: No such listing.
- 409: An application to a closed or expired listing, or an event_id with other content.';
