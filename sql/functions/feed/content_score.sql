-- How like a listing is to what the user chose before.
--
-- Called by   feed.candidate_listings, feed.rescored_listings

create or replace function feed.content_score(user_vector real[], listing_vector real[])
returns double precision
language sql
immutable
parallel safe
return case
    when user_vector is null or listing_vector is null then 0
    else coalesce(least(1, greatest(0, feed.cosine_similarity(user_vector, listing_vector))), 0)
end;

comment on function feed.content_score is
'Cosine of the two feature vectors, in [0,1]; 0 if either is missing or they point apart.';
