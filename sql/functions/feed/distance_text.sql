-- A distance as a person says it.
--
-- Stable as to_char is, or it would not be inlined.
--
-- Called by   feed.component_fact

create or replace function feed.distance_text(distance_km double precision)
returns text
language sql
stable
parallel safe
return case
    when distance_km < 0.05 then 'at your place'
    when distance_km < 0.95 then (round(distance_km * 20) * 50)::text || ' m away'
    when distance_km < 9.95 then to_char(distance_km, 'FM0.0') || ' km away'
    else round(distance_km)::text || ' km away'
end;

comment on function feed.distance_text is '"350 m away", "1.9 km away", "48 km away".';
