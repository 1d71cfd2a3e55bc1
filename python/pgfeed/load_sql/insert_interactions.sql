-- One slice of time into the log: what counts depends on what came before. Within a slice
-- the triggers look at all rows at once, so the order there is the primary key's.

insert into feed.user_interactions (
    user_uid,
    listing_id,
    type,
    metadata,
    created_at,
    event_id
)
select
    s.user_uid,
    s.listing_id,
    (enum_range(null::feed.interaction_type))[s.type_number] as type,
    case
        when s.seconds < 0 then '{}'::jsonb
        else jsonb_build_object('seconds', s.seconds)
    end as metadata,
    s.created_at + c.shift as created_at,
    s.event_id
from staged_interactions as s
cross join staged_clock as c
where s.created_at > %(after)s::timestamptz and s.created_at <= %(until)s::timestamptz
order by s.user_uid, s.listing_id, s.created_at;
