-- The components in the order in which tickets and impressions carry them.
--
-- A new component goes to the end: what is stored says how many there were, and the place says
-- which.
--
-- Called by   feed.impression_choices

create or replace function feed.component_names()
returns text[]
language sql
immutable
parallel safe
return array[
    'location', 'tag', 'engagement', 'recency', 'poster', 'collaborative', 'content',
    'poster_affinity', 'item_similarity'
];

comment on function feed.component_names is
'The names of the components, in the order of feed.feed_impressions.components.';
