-- How used a user is to a poster, as a fraction.
--
-- Called by   feed.poster_affinities

create or replace function feed.poster_affinity_score(
    affinity double precision, smoothing double precision
)
returns double precision
language sql
immutable
parallel safe
return affinity / (affinity + smoothing);

comment on function feed.poster_affinity_score is
'affinity / (affinity + smoothing), in [0,1): 1/2 where the affinity is the smoothing.';
