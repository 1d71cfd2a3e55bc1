-- The cells that have every listing within a distance, and the one of listings without a place.
--
-- Near a pole, or where the circle is so wide that reading everything is quicker, there are none:
-- then nothing is narrowed down.
--
-- Called by   feed.best_listings

create or replace function feed.cells_within(
    lat double precision,
    lon double precision,
    distance_km double precision
)
returns integer[]
language sql
immutable
parallel safe
begin atomic
    with angle as (
        -- A little more than the circle: rounding must not cost a listing.
        select
            r.radius,
            degrees(r.radius) as lat_reach,
            degrees(asin(least(sin(r.radius) / nullif(cos(radians(lat)), 0), 1))) as lon_reach
        from (select least(distance_km / 6371.0088 + 1e-5, 0.5) as radius) as r
    ),

    span as (
        select
            floor((lat - a.lat_reach + 90) * 10)::integer as first_row,
            floor((lat + a.lat_reach + 90) * 10)::integer as last_row,
            floor((lon - a.lon_reach + 180) * 10)::integer as first_column,
            floor((lon + a.lon_reach + 180) * 10)::integer as last_column
        from angle as a
        where a.radius < 0.5 and abs(lat) + a.lat_reach < 85
    )

    select array_agg(c.cell_no order by c.cell_no)
    from (
        select -1 as cell_no
        from span as s
        where (s.last_row - s.first_row + 1) * (s.last_column - s.first_column + 1) <= 5000
        union all
        select r.row_no * 3600 + (c.column_no % 3600 + 3600) % 3600
        from span as s
        cross join lateral generate_series(s.first_row, s.last_row) as r (row_no)
        cross join lateral generate_series(s.first_column, s.last_column) as c (column_no)
        where (s.last_row - s.first_row + 1) * (s.last_column - s.first_column + 1) <= 5000
    ) as c;
end;

comment on function feed.cells_within is
'Cells (feed.cell_no) of the places within distance_km of a place in degrees, and -1; null for all
of them: no limit, no place, a place near a pole, or thousands of cells.';
