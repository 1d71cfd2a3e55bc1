// The client for PostgREST, as one module for browsers: /vendor/postgrest-js.js.

export { PostgrestClient } from "@supabase/postgrest-js";
