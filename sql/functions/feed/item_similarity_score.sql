-- How well a listing goes with what the user chose, as a fraction.
--
-- A mean and not a sum: the sum over a long history is near its end for everything, and then
-- no longer says what goes best.
--
-- Called by   feed.item_similarities

create or replace function feed.item_similarity_score(
    similarity double precision,
    weight double precision
)
returns double precision
language sql
immutable
parallel safe
return least(1, coalesce(similarity / nullif(weight, 0), 0));

comment on function feed.item_similarity_score is
'Σ weight · similarity over Σ weight, in [0,1]: the mean similarity of the user''s choices to a
listing, and 0 without a choice.';
