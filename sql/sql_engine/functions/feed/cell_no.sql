-- The cell of a place, a tenth of a degree a side.
--
-- Called by   feed.listing_digest_facts, feed.cells_within

create or replace function feed.cell_no(lat double precision, lon double precision)
returns integer
language sql
immutable
parallel safe
return case
    when lat is null or lon is null then -1
    else
        least(floor((lat + 90) * 10), 1799)::integer * 3600
        + least(floor((lon + 180) * 10), 3599)::integer
end;

comment on function feed.cell_no is
'Number of the cell that has the place, in degrees; -1 where it is unknown.';
