-- Trains a model and puts it in force. Commits as it goes: call it outside a transaction.
--
-- Called by   jobs.train_models

create or replace procedure ml.train(as_of timestamptz, inout rows bigint, inout details jsonb)
language plpython3u
as $$
from pgfeed.server import train
return train(as_of)
$$;

comment on procedure ml.train is
'Trains on everything up to as_of and publishes the model. Returns the rows written, and
counts and seconds by stage. Safe to kill: the former model stays in force.';

revoke execute on procedure ml.train from public;
grant execute on procedure ml.train to feed_owner;
