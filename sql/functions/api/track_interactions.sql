-- Records a batch of interactions.
--
-- Called by   clients that were offline, the application (service_role)

create or replace function api.track_interactions(events jsonb, on_error text default 'abort')
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    outcomes jsonb;
    bad record;
begin
    if identity.user_uid() is null and not identity.is_service() then
        raise sqlstate 'PT401' using
            message = 'nobody is signed in',
            hint = 'Send "Authorization: Bearer TOKEN" with the user''s token.';
    end if;

    if jsonb_typeof(events) is distinct from 'array' then
        raise sqlstate 'PT400' using
            message = 'events must be an array',
            hint = 'Send {"events": [{"listing_id": …, "type": …}, …]}.';
    elsif jsonb_array_length(events) > 1000 then
        raise sqlstate 'PT400' using
            message = 'a batch holds at most 1000 events',
            hint = 'Send several batches.';
    elsif on_error is null or on_error not in ('abort', 'skip') then
        raise sqlstate 'PT400' using
            message = 'on_error must be abort or skip',
            hint = 'abort: one bad event keeps all out; skip: the good ones are recorded.';
    end if;

    select
        coalesce(
            jsonb_agg(
                jsonb_strip_nulls(
                    jsonb_build_object(
                        'index', r.index,
                        'event_id', r.event_id,
                        'status', r.status,
                        'created_at', r.created_at,
                        'error', case
                            when r.status = 'error'
                                then jsonb_build_object(
                                    'code', 'PT' || r.error_status,
                                    'message', r.problem,
                                    'hint', r.remedy
                                )
                        end
                    )
                )
                order by r.index
            ),
            '[]'
        )
    into outcomes
    from feed.record_interactions(events, on_error = 'skip') as r;

    if on_error = 'abort' then
        select
            o ->> 'index' as index,
            o -> 'error' ->> 'code' as code,
            o -> 'error' ->> 'message' as message,
            o -> 'error' ->> 'hint' as hint
        into bad
        from jsonb_array_elements(outcomes) as o
        where o ->> 'status' = 'error'
        limit 1;

        if found then
            raise exception using
                errcode = bad.code,
                message = format('events[%s]: %s', bad.index, bad.message),
                detail = format('{"index": %s}', bad.index),
                hint = bad.hint || ' Nothing of the batch was recorded.';
        end if;
    end if;

    return outcomes;
end;
$$;

comment on function api.track_interactions is
'Records a batch of at most 1000 interactions

For clients that were offline, and for an application that writes for its users. Each event is
judged as by track_interaction, and an event_id that comes twice is recorded once, within a batch
too.

Arguments:
- events: [{"listing_id", "type", "metadata", "event_id", "occurred_at"}, …] as for
  track_interaction; service_role adds "user_uid" to each.
- on_error: abort: one bad event keeps all out, and the error names its index. skip: the good ones
  are recorded, and each bad one has its error in the answer.

Answers an array, one object an event, in order:
- index: The event''s place in the batch, from 0.
- event_id: What retract_interaction takes.
- status: recorded, duplicate or error.
- created_at: When it counts as having happened.
- error: {"code", "message", "hint"} where status is error; its code is PT and an HTTP status.

Errors:
- 400: No array, more than 1000 events, an on_error of another name; with abort: bad input.
- 401: No token, or one that is not believed.
- 403: With abort: somebody else''s interaction.
- 404: With abort: no such listing or user.
- 409: With abort: an application to a closed or expired listing, or an event_id with other
  content.';
