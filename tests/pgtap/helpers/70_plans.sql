-- Plans: their nodes as rows.

create or replace function tests.plan_nodes(query text, is_run boolean default false)
returns table (node text, relation text, index text, loops integer)
language plpgsql
as $$
declare
    plan json;
begin
    execute format(
        'explain (format json%s) %s', case when is_run then ', analyze, timing off' else '' end, query
    )
    into plan;

    return query
    select
        n.item ->> 'Node Type',
        n.item ->> 'Relation Name',
        n.item ->> 'Index Name',
        (n.item ->> 'Actual Loops')::integer
    from jsonb_path_query(plan::jsonb, 'strict $.**') as n (item)
    where jsonb_typeof(n.item) = 'object' and n.item ? 'Node Type';
end;
$$;

comment on function tests.plan_nodes is
'The nodes of a query''s plan; with is_run the query is executed, and loops says how often each.';

create or replace function tests.uses_index(query text, index text, description text)
returns text
language plpgsql
as $$
declare
    nodes text[];
    is_used boolean;
begin
    select
        array_agg(concat_ws(' ', p.node, p.relation, p.index)),
        coalesce(bool_or(p.index = uses_index.index), false)
    into nodes, is_used
    from tests.plan_nodes(query) as p;

    return ext.ok(is_used, description)
        || case when is_used then '' else e'\n' || ext.diag(array_to_string(nodes, e'\n')) end;
end;
$$;

comment on function tests.uses_index is 'Passes if the plan of the query uses the index.';

create or replace function tests.never_scans(query text, relation text, description text)
returns text
language plpgsql
as $$
declare
    nodes text[];
    is_scanned boolean;
begin
    select
        array_agg(concat_ws(' ', p.node, p.relation, p.index)),
        bool_or(p.node = 'Seq Scan' and p.relation ~ never_scans.relation)
    into nodes, is_scanned
    from tests.plan_nodes(query) as p;

    return ext.ok(not is_scanned, description)
        || case when is_scanned then e'\n' || ext.diag(array_to_string(nodes, e'\n')) else '' end;
end;
$$;

comment on function tests.never_scans is
'Passes if the plan of the query reads no relation of such a name (a regular expression) from end to
end.';
