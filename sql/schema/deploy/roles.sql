-- Who may connect: owner, web roles, worker, analyst.
--
-- Roles belong to the cluster, so a second database of the same cluster finds them
-- there; what each may do in this database is granted in sql/grants.

begin;

do $$
declare
    wanted record;
begin
    for wanted in
        select
            r.name,
            r.options
        from (values
            ('feed_owner', 'nologin'),
            ('anon', 'nologin'),
            ('authenticated', 'nologin'),
            ('service_role', 'nologin bypassrls'),
            ('authenticator', 'login noinherit'),
            ('feed_worker', 'login'),
            ('feed_analyst', 'login')
        ) as r (name, options)
    loop
        if not exists (select from pg_catalog.pg_roles where rolname = wanted.name) then
            execute format('create role %I %s', wanted.name, wanted.options);
        end if;
    end loop;

    -- Nobody comes in by default: the roles below are the whole list.
    execute format('revoke all on database %I from public', current_database());
    execute format(
        'grant connect on database %I to authenticator, feed_worker, feed_analyst',
        current_database()
    );
    -- A materialised view refreshes concurrently through a temporary table of its owner.
    execute format('grant temporary on database %I to feed_owner', current_database());
    -- An analyst who logs in has time. PostgREST does not set what is for one database, and so
    -- keeps to what the role has everywhere.
    execute format(
        'alter role feed_analyst in database %I set statement_timeout = ''5min''',
        current_database()
    );
end;
$$;

-- Whatever a request without a token may, a user may; whatever a user may, the application.
grant anon to authenticated;
grant authenticated to service_role;

grant anon to authenticator;
grant authenticated to authenticator;
grant service_role to authenticator;
grant feed_analyst to authenticator;
grant feed_owner to feed_worker;

-- A request that takes longer is given up (the gateway says 503): a user waits for no page that
-- long, and what one asks must not keep the database from all others. PostgREST sets these with
-- the role. All end before the gateway does (40 s): what it gave up must not be written later.
-- The worker has no limit, since training takes minutes.
alter role anon set statement_timeout = '5s';
alter role authenticated set statement_timeout = '10s';
alter role service_role set statement_timeout = '25s';
alter role feed_analyst set statement_timeout = '15s';

-- A transaction that its client forgot holds locks, and dead rows everywhere.
alter role authenticator set idle_in_transaction_session_timeout = '30s';
alter role feed_analyst set idle_in_transaction_session_timeout = '1min';

comment on role feed_owner is 'Owns every object of pgfeed; cannot log in.';
comment on role anon is 'A request without a token.';
comment on role authenticated is 'A request with a user''s token: sub is the user.';
comment on role service_role is 'The application that owns the users and the listings.';
comment on role authenticator is 'PostgREST''s login; becomes one of the web roles a request.';
comment on role feed_worker is 'Runs the jobs and the training.';
comment on role feed_analyst is 'Reads the schema analytics, nothing else.';

commit;
