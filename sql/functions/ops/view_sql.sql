-- A view's SQL, with every name qualified.
--
-- PostgreSQL leaves out the schemas of the search_path, and PostgREST puts the schema that is asked
-- for into it.
--
-- Called by   analytics.view_definitions

create or replace function ops.view_sql(view oid)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
return pg_get_viewdef(view_sql.view, true);

comment on function ops.view_sql is 'The SQL of a view, with every name qualified.';
