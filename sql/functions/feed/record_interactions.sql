-- A batch of events into the log: each once, each checked.
--
-- The users are locked first, in one order, so that two batches with the same event wait
-- for each other: the second then sees the first one's keys and knows a repetition. Whoever was
-- deleted before the lock was ours is judged again: a caller is known anew. What was refused stays
-- refused then: a user who has become known meanwhile may come before one whose lock is ours.
--
-- Called by   api.track_interaction, api.track_interactions
-- Writes      feed.users (a caller not yet known), feed.user_interactions

create or replace function feed.record_interactions(events jsonb, skip_bad boolean)
returns table (
    index integer,
    event_id uuid,
    status text,
    created_at timestamptz,
    error_status integer,
    problem text,
    remedy text
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    caller constant uuid := identity.user_uid();
    is_service constant boolean := identity.is_service();
    received_at constant timestamptz := now();
    locked integer;
    outcome jsonb;
begin
    loop
        select
            coalesce(
                jsonb_agg(
                    coalesce(
                        r.refused, to_jsonb(c) || jsonb_build_object('index', e.ordinality - 1)
                    )
                    order by e.ordinality
                ),
                '[]'
            )
        into outcome
        from jsonb_array_elements(events) with ordinality as e (event, ordinality)
        cross join lateral feed.check_interaction(e.event, caller, is_service) as c
        left join lateral (
            select outcome -> (e.ordinality - 1)::integer as refused
        ) as r on r.refused ->> 'problem' is not null;

        perform
        from feed.users as u
        where u.user_uid in (
            select (o ->> 'user_uid')::uuid
            from jsonb_array_elements(outcome) as o
            where o ->> 'problem' is null
        )
        order by u.user_no
        for no key update;
        get diagnostics locked = row_count;

        exit when locked = 1 and not is_service or locked = (
            select count(distinct o ->> 'user_uid')
            from jsonb_array_elements(outcome) as o
            where o ->> 'problem' is null
        );

        perform feed.ensure_user(caller)
        where caller::text in (
            select o ->> 'user_uid'
            from jsonb_array_elements(outcome) as o
            where o ->> 'problem' is null
        );
    end loop;

    -- A new statement sees the keys of whoever held the locks.
    with checked as (
        select
            c.*,
            feed.payload_hash(c.listing_id, c.type, c.metadata) as payload_hash,
            row_number() over (
                partition by c.user_uid, c.event_id, c.problem is null
                order by c.index
            ) as occurrence
        from jsonb_to_recordset(outcome) as c (
            index integer,
            user_uid uuid,
            listing_id uuid,
            type feed.interaction_type,
            metadata jsonb,
            event_id uuid,
            occurred_at timestamptz,
            status integer,
            problem text,
            remedy text
        )
    ),

    known as (
        -- recorded before, or earlier in this batch
        select
            c.index,
            coalesce(k.payload_hash, f.payload_hash) as payload_hash,
            coalesce(k.created_at, f.occurred_at, received_at) as created_at
        from checked as c
        left join feed.interaction_keys as k using (user_uid, event_id)
        left join checked as f
            on
                c.occurrence > 1
                and f.occurrence = 1
                and f.problem is null
                and c.user_uid = f.user_uid
                and c.event_id = f.event_id
        where
            c.problem is null
            and coalesce(k.payload_hash, f.payload_hash) is not null
    ),

    judged as (
        select
            c.*,
            k.index is not null as is_known,
            k.created_at as known_at,
            k.index is not null
            and (
                k.payload_hash <> c.payload_hash
                or coalesce(c.occurred_at <> k.created_at, false)
            ) as is_conflict
        from checked as c
        left join known as k using (index)
    )

    select
        coalesce(
            jsonb_agg(
                to_jsonb(j)
                || case
                    when j.is_conflict
                        then jsonb_build_object(
                            'status', 409,
                            'problem', 'this event_id was recorded with other content',
                            'remedy',
                            'Make a new event_id for a new event; send the same content again '
                            || 'only when trying again.'
                        )
                    else '{}'
                end
                order by j.index
            ),
            '[]'
        )
    into outcome
    from judged as j;

    if
        skip_bad
        or not exists (
            select from jsonb_array_elements(outcome) as o
            where o ->> 'problem' is not null
        )
    then
        insert into feed.user_interactions (
            user_uid, listing_id, type, metadata, created_at, event_id
        )
        select
            o.user_uid,
            o.listing_id,
            o.type,
            o.metadata,
            coalesce(o.occurred_at, received_at),
            o.event_id
        from jsonb_to_recordset(outcome) as o (
            user_uid uuid,
            listing_id uuid,
            type feed.interaction_type,
            metadata jsonb,
            occurred_at timestamptz,
            event_id uuid,
            problem text,
            is_known boolean
        )
        where
            o.problem is null
            and not o.is_known
        -- Foreign keys lock listings in this order; who deletes their data locks theirs so, too.
        order by o.listing_id;
    end if;

    return query
    select
        o.index,
        o.event_id,
        case
            when o.problem is not null then 'error'
            when o.is_known then 'duplicate'
            else 'recorded'
        end,
        case
            when o.problem is not null then null
            when o.is_known then o.known_at
            else coalesce(o.occurred_at, received_at)
        end,
        case when o.problem is not null then o.status end,
        o.problem,
        o.remedy
    from jsonb_to_recordset(outcome) as o (
        index integer,
        event_id uuid,
        status integer,
        occurred_at timestamptz,
        known_at timestamptz,
        problem text,
        remedy text,
        is_known boolean
    )
    order by o.index;
end;
$$;

comment on function feed.record_interactions is
'Records a jsonb array of events and says of each what became of it: recorded, duplicate
(nothing changed) or error with an HTTP status, problem and remedy. With skip_bad = false one
bad event keeps all of them out.';
