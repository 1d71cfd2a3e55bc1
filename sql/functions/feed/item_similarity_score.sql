-- How well a listing goes with what the user chose, as a fraction.
--
-- More of the same adds less and less. The exponent is capped, since float8 refuses to
-- underflow.
--
-- Called by   feed.item_similarities

create or replace function feed.item_similarity_score(similarity double precision)
returns double precision
language sql
immutable
parallel safe
return 1 - exp(-least(similarity, 600));

comment on function feed.item_similarity_score is
'1 − e^(−x), in [0,1], of the summed similarity x to what the user chose.';
