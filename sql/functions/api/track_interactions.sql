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

events: [{"listing_id", "type", "metadata", "event_id", "occurred_at"}, …] as for
track_interaction; service_role adds "user_uid" to each. on_error "abort" (default): all or
nothing, and the error names the index of the first bad event. "skip": an answer an event,
{"index", "event_id", "status", "created_at"} with status recorded, duplicate or error (then
with error: code, message, hint), and the good ones are recorded.

400 bad input, 401 no token, 403 somebody else''s event, 404 no such listing or user, 409
closed listing or event_id used for something else.';
