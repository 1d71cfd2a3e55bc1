-- What the caller saved, applied to and dismissed.
--
-- Called by   clients

create or replace view api.my_listings
with (security_invoker = true) as
select
    l.listing_id,
    l.title,
    l.description,
    l.url,
    l.image_url,
    l.attributes,
    l.tags,
    l.compensation,
    l.currency,
    l.status,
    l.created_at,
    l.expires_at,
    s.saved_at,
    s.applied_at,
    s.dismissed_at,
    s.last_at
from feed.users as u
inner join feed.user_listing_states as s using (user_no)
inner join feed.listings as l using (listing_no)
where
    u.user_uid = identity.user_uid()
    and (s.saved_at is not null or s.applied_at is not null or s.dismissed_at is not null);

comment on view api.my_listings is
'Listings that the caller saved, applied to or dismissed, with the times

Also those that closed meanwhile. Filter and order as PostgREST does:
?saved_at=not.is.null&order=saved_at.desc.

Errors:
- 401: No token, or one that is not believed.';
comment on column api.my_listings.listing_id is 'The listing.';
comment on column api.my_listings.title is 'One line.';
comment on column api.my_listings.description is 'Plain text.';
comment on column api.my_listings.url is 'Where it can be read in full.';
comment on column api.my_listings.image_url is 'A picture.';
comment on column api.my_listings.attributes is 'Whatever the marketplace shows beside it.';
comment on column api.my_listings.tags is 'Trimmed, lower case, distinct.';
comment on column api.my_listings.compensation is 'Pay or price, in currency.';
comment on column api.my_listings.currency is 'ISO 4217.';
comment on column api.my_listings.status is 'open or closed.';
comment on column api.my_listings.created_at is 'When the listing was posted.';
comment on column api.my_listings.expires_at is 'When it leaves every feed.';
comment on column api.my_listings.saved_at is 'When the caller first saved it; null for never.';
comment on column api.my_listings.applied_at is 'When the caller first applied; null for never.';
comment on column api.my_listings.dismissed_at is 'When the caller dismissed it; null for never.';
comment on column api.my_listings.last_at is 'The caller''s latest interaction with it.';
