-- What the application that owns users and listings may do: all that a user may, for any
-- user, and the upserts.

grant execute on function api.upsert_users(jsonb) to service_role;
grant execute on function api.upsert_posters(jsonb) to service_role;
grant execute on function api.upsert_listings(jsonb) to service_role;
