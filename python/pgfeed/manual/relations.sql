-- Relations with their columns, comments and rights: those of a schema, or some of them.
select
    n.nspname as schema,
    c.relname as name,
    c.relkind in ('v', 'm') as is_view,
    coalesce(obj_description(c.oid, 'pg_class'), '') as description,
    (
        select
            json_object_agg(
                r.role,
                array(
                    select t.privilege
                    from unnest(array['select', 'insert', 'update', 'delete'])
                        with ordinality as t (privilege, n)
                    where has_table_privilege(r.role, c.oid, t.privilege)
                    order by t.n
                )
            )
        from unnest(%(roles)s::text[]) as r (role)
    ) as rights,
    (
        select
            json_agg(
                json_build_object(
                    'name', a.attname,
                    'type', format_type(a.atttypid, a.atttypmod),
                    'description', coalesce(col_description(c.oid, a.attnum), '')
                )
                order by a.attnum
            )
        from pg_attribute as a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ) as columns
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
where
    n.nspname = %(schema)s
    and c.relkind in ('r', 'p', 'v', 'm')
    and not c.relispartition
    and (%(names)s::text[] is null or c.relname = any(%(names)s::text[]))
order by array_position(%(names)s::text[], c.relname::text), c.relname
