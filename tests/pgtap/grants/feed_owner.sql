-- Who is who: logins, memberships, and what the owner's members are.

begin;
select plan(10);

select results_eq(
    $$
    select r.rolname::text collate "default"
    from pg_roles as r
    where
        r.rolcanlogin
        and r.rolname in (
            'feed_owner', 'authenticator', 'anon', 'authenticated', 'service_role', 'feed_worker',
            'feed_analyst'
        )
    order by r.rolname
    $$,
    $$values ('authenticator'), ('feed_analyst'), ('feed_worker')$$,
    'three roles can log in; neither the owner nor a web role can'
);
select is_empty(
    $$
    select r.rolname
    from pg_roles as r
    where
        (r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication)
        and r.rolname in (
            'feed_owner', 'authenticator', 'anon', 'authenticated', 'service_role', 'feed_worker',
            'feed_analyst'
        )
    $$,
    'none of ours is a superuser, makes roles or databases, or replicates'
);
select results_eq(
    $$
    select r.rolname::text collate "default"
    from pg_roles as r
    where r.rolbypassrls and not r.rolsuper
    order by r.rolname
    $$,
    $$values ('service_role')$$,
    'policies bind all but service_role'
);
select results_eq(
    $$
    select m.roleid::regrole::text, m.member::regrole::text
    from pg_auth_members as m
    where m.roleid::regrole::text !~ '^pg_'
    order by 1, 2
    $$,
    $$
    values
    ('anon', 'authenticated'),
    ('anon', 'authenticator'),
    ('authenticated', 'authenticator'),
    ('authenticated', 'service_role'),
    ('feed_analyst', 'authenticator'),
    ('feed_owner', 'feed_worker'),
    ('service_role', 'authenticator')
    $$,
    'these are all memberships'
);
select is_empty($$select tests.rights_of('authenticator')$$, 'authenticator itself reads nothing');
select is_empty($$select tests.functions_of('authenticator')$$, 'calls nothing');
select is_empty($$select tests.schemas_of('authenticator')$$, 'and uses no schema');
select ok(
    pg_has_role('feed_worker', 'feed_owner', 'usage'), 'feed_worker has the rights of the owner'
);
select is_empty(
    $$
    select d.rolname
    from unnest(array['anon', 'authenticated', 'service_role', 'feed_analyst']) as d (rolname)
    where
        has_database_privilege(d.rolname, current_database(), 'create')
        or has_database_privilege(d.rolname, current_database(), 'temporary')
    $$,
    'no web role makes schemas or temporary tables'
);
select is_empty(
    $$
    select d.rolname, o.name
    from
        unnest(array['anon', 'authenticated', 'service_role', 'feed_analyst', 'authenticator'])
            as d (rolname)
    cross join tests.our_schemas as o
    where has_schema_privilege(d.rolname, o.oid, 'create')
    $$,
    'nor anything in our schemas'
);

select finish();
rollback;
