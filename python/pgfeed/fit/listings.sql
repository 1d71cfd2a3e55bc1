-- listings.csv of the database: what ranking knows of them. Whether one is closed now says nothing
-- about then, and titles say nothing to the ranking.

select
    l.listing_id,
    null as title,
    translate(array_to_string(l.tags, e'\n'), e'|\n', '¦|') as tags,
    ext.st_y(l.location::ext.geometry) as lat,
    ext.st_x(l.location::ext.geometry) as lon,
    to_char(l.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as created_at,
    l.poster_uid as poster_id,
    l.compensation,
    to_char(l.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as expires_at
from feed.listings as l
order by l.listing_no
