-- The city that a place counts for.
--
-- Cities with few users are passed over, so that no number is about a handful of people.
--
-- Called by   analytics.refresh_days

create or replace function analytics.city_of(
    location ext.geography,
    least_users bigint,
    radius_km double precision
)
returns text
language sql
stable
return case
    when city_of.location is null then 'unknown'
    else coalesce(
            (
                select c.city
                from analytics.cities as c
                where
                    c.user_count >= city_of.least_users
                    and ext.st_dwithin(c.center, city_of.location, city_of.radius_km * 1000, false)
                order by ext.st_distance(c.center, city_of.location, false), c.city
                limit 1
            ),
            'elsewhere'
        )
end;

comment on function analytics.city_of is
'The nearest city with at least least_users users within radius_km; elsewhere if there is none,
unknown without a location.';
