-- The listings that can be among a user's best, found in the blocks and the changes beside
-- them.
--
-- Stable: everything is read in one snapshot. The session keeps blocks by their version (GD),
-- and nothing of a user.
--
-- Called by   api.get_feed
-- Reads       feed.listing_blocks, feed.listing_changes, the user's and the neighbors' states

create or replace function feed.best_listings(
    user_uid uuid,
    profile_name text,
    as_of timestamptz,
    wanted integer,
    exclude uuid[]
)
returns table (
    listing_nos integer[],
    collaborative_scores double precision[],
    neighbor_counts integer[],
    content_scores double precision[],
    poster_affinity_scores double precision[],
    poster_choice_counts integer[],
    item_similarity_scores double precision[],
    similar_choice_counts integer[]
)
language plpython3u
stable
rows 1
set search_path = pg_catalog, pg_temp
as $$
from pgfeed.engine.server import best_listings
return [best_listings(GD, user_uid, profile_name, as_of, wanted, exclude)]
$$;

comment on function feed.best_listings is
'A superset of the user''s best `wanted` eligible listings: all that could be among them, given
float32 scores. Each with its collaborative score, number of neighbors and content score, and with
its poster affinity and item similarity and the choices behind them where the profile weighs these,
null where not. A few may not be eligible at all (distance within a metre of the limit).';

revoke execute on function feed.best_listings from public;
grant execute on function feed.best_listings to feed_owner;
