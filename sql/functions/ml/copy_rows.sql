-- Loads a binary COPY file into a table of a model.
--
-- Only a superuser may COPY from a file, so this is a definer function; it makes the file
-- itself, in memory, and takes the relation from a fixed list.
--
-- Called by   python/pgfeed/server.py

create or replace function ml.copy_rows(relation text, file bytea)
returns void
language plpython3u
security definer
set search_path = pg_catalog, pg_temp
as $$
from pgfeed.server import copy_rows
copy_rows(relation, file)
$$;

comment on function ml.copy_rows is
'Loads a binary COPY file into one of the tables that training fills.';

revoke execute on function ml.copy_rows from public;
grant execute on function ml.copy_rows to feed_owner;
