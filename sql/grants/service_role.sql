-- What the application that owns users and listings may do: all that a user may, for any
-- user, the upserts, and what the gateway asks of replicas.

grant execute on function api.upsert_users(jsonb) to service_role;
grant execute on function api.upsert_posters(jsonb) to service_role;
grant execute on function api.upsert_listings(jsonb) to service_role;

grant execute on function api.replication_state() to service_role;
