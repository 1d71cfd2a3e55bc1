-- Known listings, where the file says otherwise; what it does not say stays, and
-- created_at is never renewed.

with stated as (
    select
        s.listing_id,
        coalesce(s.title, l.title) as title,
        coalesce(l.poster_uid, s.poster_uid) as poster_uid,
        coalesce(s.external_id, l.external_id) as external_id,
        coalesce(s.description, l.description) as description,
        coalesce(s.url, l.url) as url,
        coalesce(s.image_url, l.image_url) as image_url,
        coalesce(s.attributes, l.attributes) as attributes,
        feed.normalized_tags(coalesce(s.tags, l.tags)) as tags,
        case
            when
                s.lat is null
                or ext.st_equals(
                    l.location::ext.geometry,
                    ext.st_setsrid(ext.st_makepoint(s.lon, s.lat), 4326)
                )
                then l.location
            else ext.st_setsrid(ext.st_makepoint(s.lon, s.lat), 4326)::ext.geography
        end as location,
        coalesce(s.compensation::numeric(14, 2), l.compensation) as compensation,
        coalesce(s.currency, l.currency) as currency,
        coalesce(s.status::feed.listing_status, l.status) as status,
        coalesce(s.expires_at + c.shift, l.expires_at) as expires_at
    from staged_listings as s
    inner join feed.listings as l on s.listing_id = l.listing_id
    cross join staged_clock as c
)

update feed.listings as l
set
    title = s.title,
    poster_uid = s.poster_uid,
    external_id = s.external_id,
    description = s.description,
    url = s.url,
    image_url = s.image_url,
    attributes = s.attributes,
    tags = s.tags,
    location = s.location,
    compensation = s.compensation,
    currency = s.currency,
    status = s.status,
    expires_at = s.expires_at
from stated as s
where
    l.listing_id = s.listing_id
    and (
        (
            l.title, l.poster_uid, l.external_id, l.description, l.url, l.image_url,
            l.attributes, l.tags, l.compensation, l.currency, l.status, l.expires_at
        ) is distinct from (
            s.title, s.poster_uid, s.external_id, s.description, s.url, s.image_url,
            s.attributes, s.tags, s.compensation, s.currency, s.status, s.expires_at
        )
        or (l.location is null and s.location is not null)
        or not ext.st_equals(l.location::ext.geometry, s.location::ext.geometry)
    );
