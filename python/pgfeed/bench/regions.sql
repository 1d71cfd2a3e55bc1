-- What would cross a border if users and listings were split into so many regions by place.
--
-- Regions are clusters of users' places (k-means in space); whoever and whatever has a place belongs
-- to the region whose center is nearest. One row; percentages of what is named. Changes nothing.
--
-- Usage       bin/psql -v regions=4 -f python/pgfeed/bench/regions.sql
-- Calls       api.get_feed, for 200 users
-- Reads       feed.users, feed.user_feed_preferences, feed.listings, feed.user_listing_states,
--             ml.user_neighbors, ml.listing_neighbors

\set ON_ERROR_STOP 1
\set QUIET 1
set search_path = pg_catalog, pg_temp, ext;
set client_min_messages = warning;

-- A place as a point in space, in km from the middle of the earth.
create function pg_temp.space(place geography) returns geometry language sql immutable as $$
    select st_makepoint(
        6371.0088 * cosd(st_y(place::geometry)) * cosd(st_x(place::geometry)),
        6371.0088 * cosd(st_y(place::geometry)) * sind(st_x(place::geometry)),
        6371.0088 * sind(st_y(place::geometry))
    )
$$;

create temp table places as
select
    user_uid,
    user_no,
    location,
    pg_temp.space(location) as place,
    count(*) over (
        partition by floor(st_x(location::geometry)), floor(st_y(location::geometry))
    ) as users_in_degree
from feed.users where location is not null;

create temp table centers as
select c.region, st_makepoint(avg(st_x(c.place)), avg(st_y(c.place)), avg(st_z(c.place))) as center
from (
    select place, st_clusterkmeans(place, :regions) over (order by user_uid) as region
    from places
    -- A few in the middle of nowhere would be a region of their own.
    where 1000 * users_in_degree > (select count(*) from places)
) as c
group by c.region;

create temp table homes as
select p.user_uid, p.user_no, p.location, f.max_distance, n.region
from places as p
left join feed.user_feed_preferences as f using (user_uid)
cross join lateral (
    select c.region from centers as c order by st_3ddistance(c.center, p.place) limit 1
) as n;

create temp table offers as
select l.listing_id, l.listing_no, l.location, n.region
from feed.listings as l
left join lateral (
    select c.region from centers as c
    order by st_3ddistance(c.center, pg_temp.space(l.location)) limit 1
) as n on l.location is not null;

create index on offers using gist (location);
create unique index on offers (listing_no);
create unique index on offers (listing_id);
create unique index on homes (user_no);
analyze homes, offers;

-- The best 50 of some users, wherever these are.
set request.jwt.claims = '{"role": "service_role"}';
create temp table shown as
select a.user_uid, o.region <> a.region as is_abroad
from (select * from homes order by md5(user_uid::text) limit 200) as a
cross join lateral api.get_feed(a.user_uid, 50) as f
left join offers as o using (listing_id);

\pset expanded on

with asked as (
    select * from homes where max_distance is not null order by md5(user_uid::text) limit 2000
),

reach as (
    select
        a.user_uid,
        count(o.listing_no) as listings,
        count(*) filter (where o.region <> a.region) as abroad
    from asked as a
    left join offers as o
        on st_dwithin(o.location, a.location, a.max_distance * 1000, false)
    group by a.user_uid
),

nearby as (
    select
        d.km,
        bool_or(o.region <> a.region) as is_across
    from (select * from homes order by md5(user_uid::text) limit 500) as a
    cross join (values (25), (50)) as d (km)
    left join offers as o on st_dwithin(o.location, a.location, d.km * 1000, false)
    group by d.km, a.user_no
),

pairs as (
    select
        s.user_no,
        o.region as there,
        o.region <> h.region as is_abroad
    from feed.user_listing_states as s
    inner join homes as h using (user_no)
    inner join offers as o using (listing_no)
),

near_users as (
    select h.region <> o.region as is_abroad
    from ml.user_neighbors as n
    inner join ml.current_model as m using (model_id)
    inner join homes as h using (user_no)
    cross join unnest(n.neighbor_nos) as b (user_no)
    inner join homes as o on b.user_no = o.user_no
),

near_listings as (
    select l.region <> o.region as is_abroad
    from ml.listing_neighbors as n
    inner join ml.current_model as m using (model_id)
    inner join offers as l using (listing_no)
    cross join unnest(n.neighbor_nos) as b (listing_no)
    inner join offers as o on b.listing_no = o.listing_no
)

select
    :regions as regions,
    (select round(100.0 * max(c.n) / nullif(sum(c.n), 0), 1) from (
        select count(*) as n from homes group by region
    ) as c) as users_in_the_largest,
    (select round(100.0 * max(c.n) / nullif(sum(c.n), 0), 1) from (
        select count(*) as n from offers where region is not null group by region
    ) as c) as listings_in_the_largest,
    (select round(100.0 * count(*) filter (where location is null) / nullif(count(*), 0), 1)
        from feed.users) as users_without_place,
    (select round(100.0 * count(*) filter (where max_distance is null) / nullif(count(*), 0), 1)
        from homes) as users_without_limit,
    (select round(100.0 * count(*) filter (where region is null) / nullif(count(*), 0), 1)
        from offers) as listings_remote,
    (select round(100.0 * count(*) filter (where abroad > 0) / nullif(count(*), 0), 2)
        from reach) as circles_across_a_border,
    (select round(100.0 * count(*) filter (where is_across) / nullif(count(*), 0), 2)
        from nearby where km = 25) as circles_of_25_km_across,
    (select round(100.0 * count(*) filter (where is_across) / nullif(count(*), 0), 2)
        from nearby where km = 50) as circles_of_50_km_across,
    (select round(100.0 * sum(abroad) / nullif(sum(listings), 0), 2)
        from reach) as listings_in_reach_abroad,
    (select round(100.0 * count(*) filter (where is_abroad) / nullif(count(*), 0), 2)
        from shown) as feed_rows_abroad,
    (select round(100.0 * count(*) filter (where f.is_abroad) / nullif(count(*), 0), 2) from (
        select bool_or(is_abroad) as is_abroad from shown group by user_uid
    ) as f) as feeds_with_rows_abroad,
    (select round(100.0 * count(*) filter (where is_abroad) / nullif(count(*), 0), 2)
        from pairs) as pairs_abroad,
    (select round(100.0 * count(*) filter (where there is null) / nullif(count(*), 0), 2)
        from pairs) as pairs_with_remote,
    (select round(100.0 * count(*) filter (where c.is_abroad) / nullif(count(*), 0), 2) from (
        select bool_or(is_abroad) as is_abroad from pairs group by user_no
    ) as c) as users_with_pairs_abroad,
    (select round(100.0 * count(*) filter (where is_abroad) / nullif(count(*), 0), 2)
        from near_users) as similar_users_abroad,
    (select round(100.0 * count(*) filter (where is_abroad) / nullif(count(*), 0), 2)
        from near_listings) as similar_listings_abroad;
