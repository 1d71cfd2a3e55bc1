-- Cosine of the angle between two vectors.
--
-- Called by   feed.content_score

create or replace function feed.cosine_similarity(a real[], b real[])
returns double precision
language sql
immutable
parallel safe
return (
    select
        sum(v.x::double precision * v.y::double precision)
        / nullif(
            sqrt(sum(v.x::double precision * v.x::double precision))
            * sqrt(sum(v.y::double precision * v.y::double precision)),
            0
        )
    from unnest(a, b) as v (x, y)
);

comment on function feed.cosine_similarity is
'Cosine of two vectors of the same length, summed in float8; null if either is missing or zero.';
