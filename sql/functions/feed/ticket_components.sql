-- The components of a feed row as its ticket carries them, in the order of feed.component_names.
--
-- One that was not computed has its place too, so that the place always says which it is. One
-- expression of arguments, so that the planner inlines it: an array would have to be taken apart,
-- which takes five times as long.
--
-- Called by   api.get_feed
-- Costs       about 3 microseconds

create or replace function feed.ticket_components(
    location_score double precision,
    tag_score double precision,
    engagement_score double precision,
    recency_score double precision,
    poster_score double precision,
    collaborative_score double precision,
    content_score double precision,
    poster_affinity_score double precision,
    item_similarity_score double precision
)
returns text
language sql
immutable
parallel safe
return feed.component_code(location_score)
|| feed.component_code(tag_score)
|| feed.component_code(engagement_score)
|| feed.component_code(recency_score)
|| feed.component_code(poster_score)
|| feed.component_code(collaborative_score)
|| feed.component_code(content_score)
|| feed.component_code(poster_affinity_score)
|| feed.component_code(item_similarity_score);

comment on function feed.ticket_components is
'feed.component_code of each component, one after the other, in the order of
feed.component_names.';
