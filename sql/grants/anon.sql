-- What a request without a token may do: read listings.

grant usage on schema api to anon;
grant usage on schema identity to anon;
grant usage on schema feed to anon;

grant execute on function identity.check_request() to anon;
grant execute on function identity.claims() to anon;
grant execute on function identity.user_uid() to anon;
grant execute on function identity.caller_role() to anon;

grant select on api.listings to anon;
grant select on api.trending to anon;

grant select (
    listing_id, listing_no, poster_uid, external_id, title, description, url, image_url,
    attributes, tags, location, compensation, currency, status, created_at, expires_at
) on feed.listings to anon;
grant select on feed.trending_listings to anon;
grant usage on type feed.listing_status to anon;
