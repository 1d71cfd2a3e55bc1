-- Every view of analytics with its SQL: what stands behind a chart.

create or replace view analytics.view_definitions as
select
    c.relname::text as view_name,
    obj_description(c.oid, 'pg_class') as description,
    ops.view_sql(c.oid) as definition
from pg_catalog.pg_class as c
where
    c.relnamespace = 'analytics'::regnamespace
    and c.relkind = 'v';

comment on view analytics.view_definitions is
'Every view of this schema with its comment and its SQL.
Example: select definition from analytics.view_definitions where view_name = ''funnel'';';
comment on column analytics.view_definitions.view_name is 'The view, without its schema.';
comment on column analytics.view_definitions.description is 'Its comment, with an example query.';
comment on column analytics.view_definitions.definition is 'Its SQL, as PostgreSQL writes it.';
