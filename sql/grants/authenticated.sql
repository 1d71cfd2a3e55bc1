-- What a user may do: read listings, read and write what is theirs.
--
-- The rights on tables serve the security_invoker views; policies narrow them to the user's
-- own rows, and PostgREST exposes the schema api only.

grant execute on function api.get_feed(uuid, integer, text, timestamptz, uuid[]) to authenticated;
grant execute on function api.explain_listing(uuid, uuid) to authenticated;
grant execute on function
api.track_interaction(uuid, text, jsonb, uuid, timestamptz) to authenticated;
grant execute on function api.track_interactions(jsonb, text) to authenticated;
grant execute on function api.retract_interaction(uuid) to authenticated;
grant execute on function api.track_impressions(text[], uuid) to authenticated;
grant execute on function api.export_my_data(uuid) to authenticated;
grant execute on function api.delete_my_data(uuid) to authenticated;

grant insert, update on api.listings to authenticated;
grant select, update on api.preferences to authenticated;
grant select on api.my_listings to authenticated;
grant select on api.my_interactions to authenticated;

grant select on feed.users to authenticated;
grant insert (user_uid) on feed.users to authenticated;
grant update (location) on feed.users to authenticated;
grant select, insert, update on feed.user_feed_preferences to authenticated;
grant select on feed.user_interactions to authenticated;
grant select on feed.user_listing_states to authenticated;
grant insert (
    listing_id, poster_uid, external_id, title, description, url, image_url, attributes, tags,
    location, compensation, currency, status, expires_at
) on feed.listings to authenticated;
grant update (
    external_id, title, description, url, image_url, attributes, tags, location, compensation,
    currency, status, expires_at
) on feed.listings to authenticated;

grant usage on type feed.interaction_type to authenticated;
grant execute on function feed.normalized_tags(text[]) to authenticated;
grant execute on function feed.one_line(text) to authenticated;
grant execute on function feed.make_point(double precision, double precision) to authenticated;
grant execute on function feed.ensure_user(uuid) to authenticated;
grant execute on function feed.ensure_poster(uuid) to authenticated;
grant execute on function feed.write_preferences(uuid, jsonb) to authenticated;
