-- The listings as a plain-SQL feed would like them best: narrow rows with every number of the
-- formula ready, in a covering index by cell, so that a feed is one index-only scan.
--
-- Made anew for every run of the bench, outside the product's schemas. What it costs to keep
-- these tables fresh is left out: the comparison favours plain SQL.

drop schema if exists bench_plain cascade;
create schema bench_plain;

-- Distances between vectors in C, as intarray has sets of numbers.
create extension cube schema bench_plain;

-- A tenth of a degree a side; remote listings are in cell -1.
create function bench_plain.cell(lat double precision, lon double precision)
returns integer
language sql
immutable
parallel safe
return coalesce((floor((lat + 90) * 10) * 3600 + floor((lon + 180) * 10))::integer, -1);

create table bench_plain.listings as
select
    bench_plain.cell(p.lat, p.lon) as cell,
    l.listing_no,
    cos(radians(p.lat)) * cos(radians(p.lon)) as x,
    cos(radians(p.lat)) * sin(radians(p.lon)) as y,
    sin(radians(p.lat)) as z,
    coalesce(m.engagement_score, 0) as engagement,
    coalesce(o.poster_score, feed.poster_score(null, 0, 0, 0)) as poster,
    coalesce(u.user_no, 0) as poster_no,
    extract(epoch from l.created_at)::double precision as created_at,
    coalesce(extract(epoch from l.expires_at)::double precision, 'infinity') as expires_at,
    coalesce(t.tags, '{}') as tags
from feed.listings as l
cross join lateral (
    select
        ext.st_y(l.location::ext.geometry) as lat,
        ext.st_x(l.location::ext.geometry) as lon
) as p
left join feed.engagement_metrics as m using (listing_id)
left join feed.posters as o on l.poster_uid = o.poster_uid
left join feed.users as u on l.poster_uid = u.user_uid
left join lateral (
    select array_agg(n.tag_no order by n.tag_no) as tags
    from feed.tag_numbers as n
    where n.tag = any(l.tags)
) as t on true
where l.status = 'open'
order by 1;

create index on bench_plain.listings (cell)
include (listing_no, x, y, z, engagement, poster, poster_no, created_at, expires_at, tags);

create table bench_plain.vectors as
select
    v.listing_no,
    bench_plain.cube(v.feature_vector::double precision[]) as vector
from ml.listing_vectors as v
where
    v.model_id = (select c.model_id from ml.current_model as c)
    and v.feature_vector is not null;

create unique index on bench_plain.vectors (listing_no);
