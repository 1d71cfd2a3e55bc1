-- What many do now: the best of the last seven days.
--
-- The materialised part is refreshed every 15 minutes; closed and expired listings are
-- left out as it is read.
--
-- Called by   clients

create or replace view api.trending
with (security_invoker = true) as
select
    l.listing_id,
    l.poster_uid,
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
    l.created_at,
    l.expires_at,
    t.trending_score
from feed.trending_listings as t
inner join feed.listings as l using (listing_no)
where
    l.status = 'open'
    and (l.expires_at is null or l.expires_at > now())
order by t.trending_score desc, t.listing_id asc;

comment on view api.trending is
'The listings that most happens with now, best first

For everybody, with or without a token. Filter, order and page as PostgREST does. trending_score is
the sum of the weighted interactions of the last 7 days, each halved every 24 hours; refreshed every
15 minutes, while closed and expired listings are gone at once.';
comment on column api.trending.listing_id is 'The listing.';
comment on column api.trending.poster_uid is 'Who posted it.';
comment on column api.trending.title is 'One line.';
comment on column api.trending.description is 'Plain text.';
comment on column api.trending.url is 'Where it can be read in full.';
comment on column api.trending.image_url is 'A picture.';
comment on column api.trending.attributes is 'Whatever the marketplace shows beside it.';
comment on column api.trending.tags is 'Trimmed, lower case, distinct.';
comment on column api.trending.lat is 'Latitude in degrees; null for remote.';
comment on column api.trending.lon is 'Longitude in degrees; null for remote.';
comment on column api.trending.compensation is 'Pay or price, in currency.';
comment on column api.trending.currency is 'ISO 4217.';
comment on column api.trending.created_at is 'When it was posted.';
comment on column api.trending.expires_at is 'When it leaves every feed.';
comment on column api.trending.trending_score is 'Decayed points of the last 7 days.';
