-- Brings the model in force up to users who came since. Commits as it goes: call it outside a
-- transaction.
--
-- Called by   jobs.update_models

create or replace procedure ml.update(as_of timestamptz, inout rows bigint, inout details jsonb)
language plpython3u
as $$
from pgfeed.server import update
return update(as_of)
$$;

comment on procedure ml.update is
'Writes vectors and neighbors of users whom the model in force does not know, and of those who
did much in the day before as_of. Returns the users written, and counts and seconds by stage.
Safe to kill, and beside a training.';

revoke execute on procedure ml.update from public;
grant execute on procedure ml.update to feed_owner;
