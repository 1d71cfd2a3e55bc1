-- How near a listing is, as a fraction: 1 at the user's door, 1/e at decay_km.
--
-- Unknown places score unknown_score, so that a remote listing neither wins nor loses by
-- having no address. The exponent is capped, since float8 refuses to underflow and the
-- antipodes are 800 decay lengths away.
--
-- Called by   feed.candidate_listings, feed.rescored_listings

create or replace function feed.location_score(
    distance_km double precision,
    decay_km double precision,
    unknown_score double precision
)
returns double precision
language sql
immutable
parallel safe
return case
    when distance_km is null then unknown_score
    else exp(-least(distance_km / decay_km, 600))
end;

comment on function feed.location_score is
'Exponential decay with distance, in [0,1]; unknown_score where distance_km is null.';
