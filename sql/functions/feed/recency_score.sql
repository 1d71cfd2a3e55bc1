-- How new a listing is: 1 when posted, 1/2 after every half-life.
--
-- The exponent is capped, since float8 refuses to underflow.
--
-- Called by   feed.candidate_listings, feed.rescored_listings

create or replace function feed.recency_score(age interval, half_life interval)
returns double precision
language sql
immutable
parallel safe
return power(
    0.5::double precision,
    least(
        greatest(extract(epoch from age), 0) / extract(epoch from half_life),
        600
    )::double precision
);

comment on function feed.recency_score is '0.5^(age / half_life), in [0,1]; an age below 0 is 0.';
