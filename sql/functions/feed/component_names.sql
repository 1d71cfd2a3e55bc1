-- The components in the order of the formula, in which tickets and impressions carry them.
--
-- A new component goes to the end: what is stored says how many there were, and the place says
-- which. python/pgfeed/components.py has the same list.
--
-- Called by   feed.leading_components, feed.component_facts, feed.impression_choices

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
