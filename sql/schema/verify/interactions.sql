begin;

select
    user_uid,
    listing_id,
    type,
    metadata,
    created_at,
    event_id
from feed.user_interactions
where false;

select
    user_uid,
    event_id,
    payload_hash,
    created_at
from feed.interaction_keys
where false;

select
    user_no,
    listing_no,
    strongest_weight,
    is_dismissed,
    applied_at,
    saved_at,
    dismissed_at,
    last_at
from feed.user_listing_states
where false;

select 1 / (count(*) = cardinality(enum_range(null::feed.interaction_type)))::integer
from feed.interaction_weights;

rollback;
