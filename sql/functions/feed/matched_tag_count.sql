-- How many of the listing's tags are the user's.
--
-- Both are sets (feed.normalized_tags), so counting one side's members is enough.
--
-- Called by   feed.candidate_listings, feed.rescored_listings

create or replace function feed.matched_tag_count(user_tags text[], listing_tags text[])
returns integer
language sql
immutable
parallel safe
return (
    select count(*)::integer
    from unnest(listing_tags) as t (tag)
    where t.tag = any(user_tags)
);

comment on function feed.matched_tag_count is 'Size of the intersection of two sets of tags.';
