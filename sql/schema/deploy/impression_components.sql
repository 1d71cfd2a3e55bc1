-- The components of a feed row are kept with its impression.

begin;
set local role feed_owner;

-- not valid: whatever is there has none, and looking at it would hold the lock.
alter table feed.feed_impressions
add column components real[],
add constraint impression_components_are_fractions check (
    cardinality(components) between 1 and 32
    and 0 <= all(components)
    and 1 >= all(components)
) not valid;

comment on column feed.feed_impressions.components is
'The values of the components when the row was given, in the order of feed.component_names; null
where one was not computed. Null: the ticket did not say.';

commit;
