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

Everybody reads. A poster inserts listings and changes their own, service_role anybody''s; close one
with {"status": "closed"}, and it is out of every feed from then on. lat and lon go together, and
are null for remote. Several rows go in one POST, as an array.

Errors:
- 400: A value that breaks a rule, half a place, a title that is missing, or a change of what is
  set once.
- 401: Writing without a token.
- 403: Somebody else''s listing.
- 409: An external_id that the poster has used.';
comment on column api.listings.listing_id is 'The listing. Set once; may be chosen.';
comment on column api.listings.poster_uid is 'Who posted it. Set once: the caller.';
comment on column api.listings.external_id is
'The id in the poster''s own system, unique for the poster; at most 200 characters.';
comment on column api.listings.title is 'One line, at most 300 characters.';
comment on column api.listings.description is 'Plain text, at most 20000 characters.';
comment on column api.listings.url is
'Where it can be read in full: http or https, at most 2000 characters.';
comment on column api.listings.image_url is 'A picture: http or https, at most 2000 characters.';
comment on column api.listings.attributes is
'An object of whatever the marketplace shows beside it.';
comment on column api.listings.tags is
'Any number, of at most 200 characters each; stored trimmed, lower case, distinct, in order.';
comment on column api.listings.lat is 'Latitude in degrees; null for remote.';
comment on column api.listings.lon is 'Longitude in degrees; null for remote.';
comment on column api.listings.compensation is 'Pay or price, in currency; not negative.';
comment on column api.listings.currency is 'ISO 4217, three capitals.';
comment on column api.listings.status is 'open or closed.';
comment on column api.listings.created_at is 'When it was first written; set by the server.';
comment on column api.listings.expires_at is 'From then on it is in no feed; null for never.';
