-- The vectors of listings under a model, from its stored projections.
--
-- As text, since plpython3u converts an array element by element, ten times as slowly. The
-- session keeps the projections of one model (GD), and nothing of a user.
--
-- Called by   ml.write_listing_vectors

create or replace function ml.project_listings(model_id integer, listing_nos integer[])
returns table (listing_no integer, feature_vector text)
language plpython3u
set search_path = pg_catalog, pg_temp
as $$
from pgfeed.server import project_listings
return project_listings(GD, model_id, listing_nos)
$$;

comment on function ml.project_listings is
'One row for each of the listings that exists; feature_vector is a real[] as text, null if
nothing is known of the listing.';

revoke execute on function ml.project_listings from public;
grant execute on function ml.project_listings to feed_owner;
