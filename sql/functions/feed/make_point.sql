-- A place from a client's lat and lon.
--
-- Called by   the api

create or replace function feed.make_point(lat double precision, lon double precision)
returns ext.geography
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    if lat is null and lon is null then
        return null;
    elsif lat is null or lon is null then
        raise sqlstate 'PT400' using
            message = 'lat and lon go together',
            hint = 'Send both, or null for both.';
    elsif lat not between -90 and 90 or lon not between -180 and 180 then
        raise sqlstate 'PT400' using
            message = format('there is no place at lat %s, lon %s', lat, lon),
            hint = 'lat is from -90 to 90, lon from -180 to 180, in degrees.';
    end if;

    return ext.st_setsrid(ext.st_makepoint(lon, lat), 4326)::ext.geography;
end;
$$;

comment on function feed.make_point is
'A point (WGS 84) from degrees; null from two nulls; PT400 for half a place or one off the globe.';
