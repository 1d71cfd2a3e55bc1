-- The caller's own part of the log.
--
-- Called by   clients

create or replace view api.my_interactions
with (security_invoker = true) as
select
    i.event_id,
    i.listing_id,
    i.type,
    i.metadata,
    i.created_at as timestamp
from feed.user_interactions as i
where i.user_uid = identity.user_uid();

comment on view api.my_interactions is
'The caller''s own interactions, as they were recorded

Also those that did not count. event_id is what retract_interaction takes.

Errors:
- 401: No token, or one that is not believed.';
comment on column api.my_interactions.event_id is 'The event.';
comment on column api.my_interactions.listing_id is 'The listing.';
comment on column api.my_interactions.type is 'view, click, apply, save, share or dismiss.';
comment on column api.my_interactions.metadata is 'What came with it.';
comment on column api.my_interactions.timestamp is 'When it happened.';
