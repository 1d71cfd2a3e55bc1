-- feed.make_point: a place from lat and lon

begin;
select plan(12);

select is(
    ext.st_astext(feed.make_point(47.37, 8.54)), 'POINT(8.54 47.37)', 'lat is y and lon is x'
);
select is(
    ext.st_srid(feed.make_point(47.37, 8.54)::ext.geometry), 4326, 'places are in WGS 84'
);
select is(feed.make_point(null, null), null, 'two nulls are no place');
select ok(feed.make_point(90, 180) is not null, 'the corner of the map is a place');
select ok(feed.make_point(-90, -180) is not null, 'and so is the opposite one');

select
    is_refused(
        format('select feed.make_point(%s, %s)', c.lat, c.lon), 'PT400', c.message, c.description
    )
from (
    values
    ('47', 'null', 'go together', 'half a place is refused'),
    ('null', '8', 'go together', 'so is the other half'),
    ('90.0001', '0', 'no place at lat 90.0001', 'there is nothing north of the pole'),
    ('-91', '0', 'no place', 'nor south of the other'),
    ('0', '180.5', 'no place', 'lon ends at 180'),
    ('0', '-181', 'no place', 'and at -180'),
    ('''NaN''', '0', 'no place at lat NaN', 'what is no number is no place')
) as c (lat, lon, message, description);

select finish();
rollback;
