-- Finds cities that are not known yet, and counts the users of all.
--
-- Named by what listings say of themselves (attributes ->> 'city'); where they say nothing, the
-- clusters of places that training found are named by their coordinates. A city that is known
-- stays where it is: numbers of different days would not be of the same place otherwise.
--
-- Called by   jobs.refresh_analytics
-- Writes      analytics.cities
-- Costs       all open listings and all users

create or replace function analytics.refresh_cities()
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    chosen analytics.refresh_parameters;
    written bigint;
    found_count bigint := 0;
begin
    select p.* into chosen from analytics.refresh_parameters as p;

    insert into analytics.cities (city, center)
    select
        n.city,
        -- Medians: a few listings at the wrong end of the world, or a namesake, move nothing.
        ext.st_setsrid(
            ext.st_makepoint(
                percentile_cont(0.5) within group (order by ext.st_x(n.place)),
                percentile_cont(0.5) within group (order by ext.st_y(n.place))
            ),
            4326
        )::ext.geography
    from (
        select
            left(btrim(feed.one_line(l.attributes ->> 'city')), 80) as city,
            l.location::ext.geometry as place
        from feed.listings as l
        where
            l.status = 'open'
            and l.location is not null
            and jsonb_typeof(l.attributes -> 'city') = 'string'
    ) as n
    where n.city <> ''
    group by n.city
    having count(*) >= chosen.least_city_listings
    order by n.city
    on conflict (city) do nothing;
    get diagnostics written = row_count;
    found_count := found_count + written;

    insert into analytics.cities (city, center)
    select
        format(
            '%s %s %s %s',
            abs(round(ext.st_y(p.place)::numeric, 1)),
            case when ext.st_y(p.place) < 0 then 'S' else 'N' end,
            abs(round(ext.st_x(p.place)::numeric, 1)),
            case when ext.st_x(p.place) < 0 then 'W' else 'E' end
        ),
        p.place::ext.geography
    from ml.current_model as m
    inner join ml.location_clusters as k using (model_id)
    cross join
        lateral (
            select
                ext.st_setsrid(
                    ext.st_makepoint(
                        degrees(atan2(k.centre[2], k.centre[1])),
                        degrees(asin(greatest(-1, least(1, k.centre[3]::double precision))))
                    ),
                    4326
                ) as place
        ) as p
    where
        not exists (
            select from analytics.cities as c
            where
                ext.st_dwithin(
                    c.center, p.place::ext.geography, chosen.city_radius_km * 1000, false
                )
        )
    on conflict (city) do nothing;
    get diagnostics written = row_count;
    found_count := found_count + written;

    with homes as (
        select
            n.city,
            count(*) as user_count
        from feed.users as u
        cross join
            lateral (
                select c.city
                from analytics.cities as c
                where
                    ext.st_dwithin(c.center, u.location, chosen.city_radius_km * 1000, false)
                order by ext.st_distance(c.center, u.location, false), c.city
                limit 1
            ) as n
        group by n.city
    )

    update analytics.cities as c
    set user_count = coalesce(h.user_count, 0)
    from analytics.cities as o
    left join homes as h using (city)
    where
        c.city = o.city
        and c.user_count <> coalesce(h.user_count, 0);
    get diagnostics written = row_count;

    return found_count + written;
end;
$$;

comment on function analytics.refresh_cities is
'Adds cities that are not known yet and counts the users of all; returns the rows written.';
