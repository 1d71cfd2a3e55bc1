-- Acting as somebody: what PostgREST does at the start of a request.
--
-- All of it ends with the transaction, as there.

create or replace function tests.act(role text, claims text)
returns void
language plpgsql
as $$
begin
    perform set_config('request.jwt.claims', act.claims, true);
    perform set_config('request.headers', '', true);
    perform set_config('role', act.role, true);
end;
$$;

comment on function tests.act is 'Sets the claims and the role of a request.';

create or replace function tests.act_as(name text)
returns void
language sql
begin atomic
    select
        tests.act(
            'authenticated',
            jsonb_build_object('sub', tests.user_uid(act_as.name), 'role', 'authenticated')::text
        );
end;

comment on function tests.act_as is 'From now on a request with the token of this user.';

create or replace function tests.act_as_service()
returns void
language sql
begin atomic
    select tests.act('service_role', '{"role": "service_role"}');
end;

comment on function tests.act_as_service is 'From now on a request of the application.';

create or replace function tests.act_as_nobody()
returns void
language sql
begin atomic
    select tests.act('anon', '');
end;

comment on function tests.act_as_nobody is 'From now on a request without a token.';

create or replace function tests.act_as_analyst()
returns void
language sql
begin atomic
    select tests.act('feed_analyst', '');
end;

comment on function tests.act_as_analyst is 'From now on an analyst.';

create or replace function tests.act_as_owner()
returns void
language sql
begin atomic
    select tests.act('feed_owner', '');
end;

comment on function tests.act_as_owner is 'From now on the owner of the tables, with no request.';
