-- New listings, one slice of line numbers at a time. One without created_at is as old as
-- the first interaction with it.

insert into feed.listings (
    listing_id,
    poster_uid,
    external_id,
    title,
    description,
    url,
    image_url,
    attributes,
    tags,
    location,
    compensation,
    currency,
    status,
    created_at,
    expires_at
)
select
    s.listing_id,
    s.poster_uid,
    s.external_id,
    coalesce(s.title, s.title_if_none) as title,
    s.description,
    s.url,
    s.image_url,
    coalesce(s.attributes, '{}') as attributes,
    coalesce(s.tags, '{}') as tags,
    ext.st_setsrid(ext.st_makepoint(s.lon, s.lat), 4326)::ext.geography as location,
    s.compensation,
    s.currency,
    coalesce(s.status, 'open')::feed.listing_status as status,
    coalesce(
        s.created_at + c.shift,
        (
            select min(i.created_at)
            from staged_interactions as i
            where i.listing_id = s.listing_id and s.created_at is null
        ) + c.shift,
        now()
    ) as created_at,
    s.expires_at + c.shift as expires_at
from staged_listings as s
cross join staged_clock as c
where
    s.line > %(after_line)s
    and s.line <= %(to_line)s
    and not exists (select from feed.listings as l where l.listing_id = s.listing_id)
order by created_at, s.listing_id;
