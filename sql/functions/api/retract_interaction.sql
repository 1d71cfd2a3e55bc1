-- Undoes an interaction of the caller, exactly.
--
-- Called by   clients

create or replace function api.retract_interaction(event_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    caller constant uuid := identity.user_uid();
    retracted record;
begin
    if caller is null then
        raise sqlstate 'PT401' using
            message = 'nobody is signed in',
            hint = 'Send "Authorization: Bearer TOKEN" with the user''s token.';
    end if;

    perform pg_advisory_xact_lock_shared(feed.retention_lock_key());

    -- As when recording: the user first, then what is theirs.
    perform
    from feed.users as u
    where u.user_uid = caller
    for no key update;

    delete from feed.user_interactions as i
    using feed.interaction_keys as k
    where
        k.user_uid = caller
        and k.event_id = retract_interaction.event_id
        and i.user_uid = k.user_uid
        and i.created_at = k.created_at
        and i.event_id = k.event_id
    returning i.listing_id, i.type into retracted;

    if not found then
        raise sqlstate 'PT404' using
            message = format('you have no event %s', retract_interaction.event_id),
            hint = 'Send the event_id that track_interaction answered. It may be retracted, or older '
            'than the log is kept.';
    end if;

    return jsonb_build_object(
        'event_id', retract_interaction.event_id,
        'status', 'retracted',
        'listing_id', retracted.listing_id,
        'type', retracted.type
    );
end;
$$;

comment on function api.retract_interaction is
'Undoes an interaction of the caller, exactly

Counters, exclusions and times are as if it had never been: a dismissed listing is back in the next
feed, unless something else keeps it out. An event older than the log is kept cannot be undone.

Arguments:
- event_id: What track_interaction answered; the gateway takes it from its path.

Answers an object:
- event_id: The event.
- status: retracted.
- listing_id: The listing that it was about.
- type: What it was.

Errors:
- 400: What is no uuid.
- 401: No token, or one that is not believed.
- 404: No such event of this user, or retracted already.';
