-- The advisory lock that orders writers of listings and the publishing of a model.
--
-- Writers share it to the end of their transaction; publishing takes it alone.
--
-- Called by   ml.model_for_writing, python/pgfeed/publishing.py

create or replace function ml.publish_lock_key()
returns bigint
language sql
immutable
parallel safe
return hashtextextended('ml.publish', 0);

comment on function ml.publish_lock_key is
'Key of the advisory lock that writers of listings share and publishing takes alone.';
