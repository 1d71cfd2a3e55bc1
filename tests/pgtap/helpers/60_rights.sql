-- What a role may do in our schemas, by the catalogue: its own rights and those it inherits.

create or replace view tests.our_schemas as
select
    n.oid,
    n.nspname::text as name
from pg_catalog.pg_namespace as n
where n.nspname in ('api', 'identity', 'feed', 'ml', 'jobs', 'analytics', 'ops');

comment on view tests.our_schemas is 'The schemas of the product.';

create or replace function tests.functions_of(role text)
returns setof text
language sql
stable
begin atomic
    select p.oid::pg_catalog.regproc::text as name
    from pg_catalog.pg_proc as p
    inner join tests.our_schemas as o on p.pronamespace = o.oid
    where pg_catalog.has_function_privilege(functions_of.role, p.oid, 'execute')
    order by name;
end;

comment on function tests.functions_of is 'Functions and procedures that the role may execute.';

create or replace function tests.rights_of(role text)
returns setof text
language sql
stable
begin atomic
    select
        pg_catalog.format(
            '%s: %s',
            c.oid::pg_catalog.regclass,
            pg_catalog.string_agg(
                r.name || coalesce(' (' || g.columns || ')', ''), ', ' order by r.place
            )
        )
    from pg_catalog.pg_class as c
    inner join tests.our_schemas as o on c.relnamespace = o.oid
    cross join
        pg_catalog.unnest(
            array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']
        ) with ordinality as r (name, place)
    cross join
        lateral (
            -- null columns: all of them
            select
                case
                    when not pg_catalog.has_table_privilege(rights_of.role, c.oid, r.name)
                        then
                            pg_catalog.string_agg(a.attname, ' ' order by a.attnum)
                end as columns
            from pg_catalog.pg_attribute as a
            where
                a.attrelid = c.oid
                and a.attnum > 0
                and not a.attisdropped
                and r.name in ('select', 'insert', 'update', 'references')
                and pg_catalog.has_column_privilege(rights_of.role, c.oid, a.attnum, r.name)
        ) as g
    where
        c.relkind in ('r', 'p', 'v', 'm')
        and (
            pg_catalog.has_table_privilege(rights_of.role, c.oid, r.name)
            or g.columns is not null
        )
    group by c.oid
    order by c.oid::pg_catalog.regclass::text;
end;

comment on function tests.rights_of is
'"feed.users: select, insert (user_uid)" for each relation on which the role has a right.';

create or replace function tests.schemas_of(role text)
returns setof text
language sql
stable
begin atomic
    select o.name
    from tests.our_schemas as o
    where pg_catalog.has_schema_privilege(schemas_of.role, o.oid, 'usage')
    order by o.name;
end;

comment on function tests.schemas_of is 'Schemas that the role may use.';
