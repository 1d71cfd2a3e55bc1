-- The vectors of listings under a model, from its stored projections.
--
-- The session keeps the projections of one model (GD), and nothing of a user.
--
-- Called by   ml.write_listing_vectors

create or replace function ml.make_listing_vectors(model_id integer, listing_nos integer[])
returns table (listing_no integer, feature_vector real[])
language plpython3u
set search_path = pg_catalog, pg_temp
as $$
from pgfeed.server import make_listing_vectors
return make_listing_vectors(GD, model_id, listing_nos)
$$;

comment on function ml.make_listing_vectors is
'One row for each of the listings that exists; the vector is null if nothing is known of it.';

revoke execute on function ml.make_listing_vectors from public;
grant execute on function ml.make_listing_vectors to feed_owner;
