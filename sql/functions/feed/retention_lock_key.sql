-- The advisory lock that orders the dropping of old months and whoever deletes from the log.
--
-- Deleters share it to the end of their transaction, before they lock anything else; dropping
-- takes it alone. A lock on the month itself would not do: a deleter that holds the log and
-- waits for the month, while the dropping holds the month and waits for the log, is a deadlock.
--
-- Called by   feed.drop_outlived_partition, api.retract_interaction, api.delete_my_data

create or replace function feed.retention_lock_key()
returns bigint
language sql
immutable
parallel safe
return hashtextextended('feed.retention', 0);

comment on function feed.retention_lock_key is
'Key of the advisory lock that deleters of interactions share and retention takes alone.';
