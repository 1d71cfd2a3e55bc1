-- analytics.refresh_cities, analytics.city_of

begin;
select plan(8);

create function tests.place(lat double precision, lon double precision)
returns ext.geography
language sql
return ext.st_setsrid(ext.st_makepoint(lon, lat), 4326)::ext.geography;

create function tests.city(lat double precision, lon double precision)
returns text
language sql
begin atomic
    select analytics.city_of(tests.place(city.lat, city.lon), 5, 50);
end;

-- seven in Zürich, one of them at the wrong end of the world; four in Bern
select tests.listing('z' || n, lat => 47.37, lon => 8.50 + n * 0.01)
from generate_series(1, 6) as n;
select tests.listing('z7', lat => -33, lon => 151);
select tests.listing('b' || n, lat => 46.95, lon => 7.44) from generate_series(1, 4) as n;
update feed.listings
set
    attributes
    = jsonb_build_object('city', case left(title, 1) when 'z' then ' Zürich ' else 'Bern' end);
select tests.listing('odd', lat => 47, lon => 8);
update feed.listings set attributes = '{"city": ["no", "text"]}'
where title = 'odd';

select tests.user('u' || n, lat => 47.3, lon => 8.5) from generate_series(1, 5) as n;
select tests.user('nowhere');

select is(analytics.refresh_cities(), 2::bigint, 'a city is found, and its users are counted');
select results_eq(
    $$
    select
        city,
        ext.st_y(center::ext.geometry)::numeric(5, 2),
        ext.st_x(center::ext.geometry)::numeric(5, 2),
        user_count
    from analytics.cities
    $$,
    $$values ('Zürich', 47.37::numeric, 8.54::numeric, 5::bigint)$$,
    'in the middle of its listings; a name of too few listings is none'
);
select is(analytics.refresh_cities(), 0::bigint, 'once known it stays');

select results_eq(
    $$
    select tests.city(47.3, 8.5), tests.city(47.3, 9.5), tests.city(null, null)
    $$,
    $$values ('Zürich', 'elsewhere', 'unknown')$$,
    'who is near belongs to it, who is far is elsewhere, who has no place unknown'
);

-- clusters of places, where listings say nothing
insert into ml.location_clusters (model_id, cluster_no, centre)
select
    tests.model(),
    c.n,
    array[
        cos(radians(c.lat)) * cos(radians(c.lon)), cos(radians(c.lat)) * sin(radians(c.lon)),
        sin(radians(c.lat))
    ]::real[]
from (values (0, 47.2, 8.6), (1, -33.86, 151.21), (2, 40.71, -74.01)) as c (n, lat, lon);

select is(analytics.refresh_cities(), 2::bigint, 'clusters beyond every city are cities too');
select results_eq(
    $$select city, user_count from analytics.cities order by city collate "C"$$,
    $$
    values
    ('33.9 S 151.2 E', 0::bigint),
    ('40.7 N 74.0 W', 0),
    ('Zürich', 5)
    $$,
    'named by their coordinates'
);
select is(tests.city(-33.86, 151.2), 'elsewhere', 'and not used while they have no users');

select tests.user('s' || n, lat => -33.86, lon => 151.21) from generate_series(1, 5) as n;
select analytics.refresh_cities();
select is(tests.city(-33.86, 151.2), '33.9 S 151.2 E', 'but with them');

select finish();
rollback;
