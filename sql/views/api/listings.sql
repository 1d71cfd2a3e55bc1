-- Every listing, for everybody to read and for its poster to write.
--
-- Called by   clients

create or replace view api.listings
with (security_invoker = true) as
select
    l.listing_id,
    l.poster_uid,
    l.external_id,
    l.title,
    l.description,
    l.url,
    l.image_url,
    l.attributes,
    l.tags,
    ext.st_y(l.location::ext.geometry) as lat,
    ext.st_x(l.location::ext.geometry) as lon,
    l.compensation,
    l.currency,
    l.status,
    l.created_at,
    l.expires_at
from feed.listings as l;

comment on view api.listings is
'Every listing, open or closed

Everybody reads; a poster inserts and changes their own (close one with PATCH status=closed; it
is out of every feed from then on). poster_uid and created_at are set by the server. tags are
trimmed, lower case, distinct. lat and lon go together, null for remote.';
comment on column api.listings.listing_id is 'The listing; may be chosen by the poster.';
comment on column api.listings.poster_uid is 'Who posted it.';
comment on column api.listings.external_id is 'The id in the poster''s own system.';
comment on column api.listings.title is 'One line, at most 300 characters.';
comment on column api.listings.description is 'Plain text.';
comment on column api.listings.url is 'Where it can be read in full.';
comment on column api.listings.image_url is 'A picture.';
comment on column api.listings.attributes is
'An object of whatever the marketplace shows beside it.';
comment on column api.listings.tags is 'Trimmed, lower case, distinct.';
comment on column api.listings.lat is 'Latitude in degrees; null for remote.';
comment on column api.listings.lon is 'Longitude in degrees; null for remote.';
comment on column api.listings.compensation is 'Pay or price, in currency; not negative.';
comment on column api.listings.currency is 'ISO 4217, three capitals.';
comment on column api.listings.status is 'open or closed.';
comment on column api.listings.created_at is 'When it was first written.';
comment on column api.listings.expires_at is 'From then on it is in no feed.';
