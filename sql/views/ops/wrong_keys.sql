-- Keys that are not those of the log: one row an event, none that the log does not hold.
--
-- A key of a month that has no partition is left alone: retention may have taken the row.
--
-- Called by   ops.recount
-- Costs       the whole log and all keys, in one snapshot

create or replace view ops.wrong_keys as
select
    user_uid,
    event_id,
    case
        when k.created_at is not null
            then jsonb_build_object('payload_hash', k.payload_hash, 'created_at', k.created_at)
    end as actual,
    case
        when i.created_at is not null
            then jsonb_build_object('payload_hash', i.payload_hash, 'created_at', i.created_at)
    end as expected,
    i.created_at is not null
    and (
        select count(*) > 1
        from feed.user_interactions as o
        where
            o.user_uid = i.user_uid
            and o.event_id = i.event_id
    ) as is_repeated
from feed.interaction_keys as k
full join (
    select
        l.user_uid,
        l.event_id,
        l.created_at,
        feed.payload_hash(l.listing_id, l.type, l.metadata) as payload_hash
    from feed.user_interactions as l
) as i using (user_uid, event_id)
where
    (k.payload_hash, k.created_at) is distinct from (i.payload_hash, i.created_at)
    and (
        i.created_at is not null
        or exists (
            select
            from pg_catalog.pg_inherits as p
            where
                p.inhparent = 'feed.user_interactions'::regclass
                and p.inhrelid = to_regclass(
                    'feed.user_interactions_' || to_char(k.created_at at time zone 'UTC', 'YYYY_MM')
                )
        )
    );

comment on view ops.wrong_keys is
'Rows of feed.interaction_keys that are missing, too many or different from the log.';
comment on column ops.wrong_keys.user_uid is 'Whose event.';
comment on column ops.wrong_keys.event_id is 'The event.';
comment on column ops.wrong_keys.actual is
'payload_hash and created_at of the key; null if missing.';
comment on column ops.wrong_keys.expected is
'payload_hash and created_at as the log has them; null if the log has no such event.';
comment on column ops.wrong_keys.is_repeated is
'The log holds the event more than once: which row is right is for a person to say.';
