-- What an event said, in 64 bits: a repetition has the same hash, a conflict another.
--
-- Called by   feed.tg_user_interactions__count, feed.record_interactions

create or replace function feed.payload_hash(
    listing_id uuid,
    type feed.interaction_type,
    metadata jsonb
)
returns bigint
language sql
stable
parallel safe
return hashtextextended(concat_ws(' ', listing_id, type, metadata), 0);

comment on function feed.payload_hash is
'Hash of an interaction''s content; its time is compared by itself.';
