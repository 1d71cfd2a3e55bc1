-- Out of the way, before the rest is counted: interactions that an earlier load brought.

delete from staged_interactions as s
using feed.interaction_keys as k
where s.user_uid = k.user_uid and s.event_id = k.event_id;
