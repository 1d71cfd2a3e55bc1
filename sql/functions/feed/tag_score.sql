-- Jaccard index of the user's and the listing's tags.
--
-- Called by   feed.candidate_listings, feed.rescored_listings

create or replace function feed.tag_score(
    matched_count integer,
    user_tag_count integer,
    listing_tag_count integer
)
returns double precision
language sql
immutable
parallel safe
return case
    when user_tag_count = 0 or listing_tag_count = 0 then 0
    else matched_count::double precision / (user_tag_count + listing_tag_count - matched_count)
end;

comment on function feed.tag_score is
'Jaccard index |A∩B| / |A∪B| from the sizes of A∩B, A and B; 0 if A or B is empty.';
