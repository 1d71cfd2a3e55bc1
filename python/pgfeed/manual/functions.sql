-- The functions of a schema that somebody may call, as their callers see them.
select
    p.proname as name,
    coalesce(obj_description(p.oid, 'pg_proc'), '') as description,
    p.provolatile = 'v' as is_writing,
    array(
        select r.role
        from unnest(%(roles)s::text[]) with ordinality as r (role, n)
        where has_function_privilege(r.role, p.oid, 'execute')
        order by r.n
    ) as callers,
    a.arguments,
    a.columns
from pg_proc as p
cross join lateral (
    select
        coalesce(
            json_agg(
                json_build_object(
                    'name', u.name,
                    'type', format_type(u.type, null),
                    'default', pg_get_function_arg_default(p.oid, u.n::integer)
                )
                order by u.n
            ) filter (where coalesce(u.mode, 'i') in ('i', 'b', 'v')),
            '[]'
        ) as arguments,
        coalesce(
            json_agg(
                json_build_object(
                    'name', u.name, 'type', format_type(u.type, null), 'description', ''
                )
                order by u.n
            ) filter (where u.mode in ('o', 'b', 't')),
            '[]'
        ) as columns
    from unnest(
        coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargnames, p.proargmodes
    ) with ordinality as u (type, name, mode, n)
) as a
where p.pronamespace = %(schema)s::regnamespace and p.prorettype <> 'trigger'::regtype
order by p.proname
