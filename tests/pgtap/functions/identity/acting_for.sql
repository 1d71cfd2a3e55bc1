-- identity: who is asking

begin;
select plan(33);

-- outside a request
select is(identity.claims(), null, 'outside a request there are no claims');
select is(identity.user_uid(), null, 'and no user');
select is(identity.caller_role(), session_user, 'the role is the session''s');
select ok(identity.is_service(), 'whoever owns the tables may act for any user');

-- a user's request
select tests.user('ann');
select tests.user('bob');
select tests.act_as('ann');

select is(
    identity.claims(),
    jsonb_build_object('sub', tests.user_uid('ann'), 'role', 'authenticated'),
    'the claims are the token''s'
);
select is(identity.user_uid(), tests.user_uid('ann'), 'the user is its sub');
select is(identity.caller_role(), 'authenticated', 'the role is the request''s');
select throws_ok('select identity.is_service()', '42501', null, 'a user cannot ask for more');

reset role;
grant execute on all functions in schema identity to authenticated, service_role, anon;

select tests.act_as('ann');

select ok(not identity.is_service(), 'a user is not the application');
select is(identity.acting_for(null), tests.user_uid('ann'), 'who says nobody means themselves');
select is(
    identity.acting_for(tests.user_uid('ann')), tests.user_uid('ann'), 'and may say themselves'
);
select is_refused(
    $$select identity.acting_for(tests.user_uid('bob'))$$,
    'PT403',
    'somebody else',
    'but nobody else'
);

select is(identity.user_uid(), c.wanted::uuid, c.description)
from
    (
        values
        ('{"role": "authenticated"}', null, 'a token without a sub is nobody''s'),
        ('{"sub": null}', null, 'nor is one with a null'),
        ('{"sub": "ann"}', null, 'or with what is no uuid'),
        ('{"sub": ""}', null, 'or with an empty one'),
        ('{"sub": 42}', null, 'or with a number'),
        (
            '{"sub": "AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE"}',
            'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee',
            'capitals are the same uuid'
        ),
        (
            '{"sub": " aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"}', null, 'with a space it is none'
        )
    ) as c (claims, wanted, description)
cross join lateral set_config('request.jwt.claims', c.claims, true) as s
where s is not null;

-- the door
select tests.act('authenticated', '{"sub": "ann"}');

select is_refused(
    'select identity.check_request()',
    'PT401',
    'the token names no user',
    'a user''s token without a user is refused at the door'
);
select is_refused(
    'select identity.acting_for(null)', 'PT401', 'nobody is signed in', 'and within'
);

select tests.act_as('ann');
select lives_ok('select identity.check_request()', 'a user''s token with a user passes');
select tests.act_as_nobody();
select lives_ok('select identity.check_request()', 'no token passes: it may read listings');
select is_refused(
    $$select identity.acting_for(tests.user_uid('ann'))$$,
    'PT401',
    'nobody is signed in',
    'but acts for nobody'
);
select tests.act_as_service();
select lives_ok('select identity.check_request()', 'the application''s passes');

-- the application
select ok(identity.is_service(), 'the application may act for any user');
select is(
    identity.acting_for(tests.user_uid('bob')), tests.user_uid('bob'), 'it names the user'
);
select is_refused(
    'select identity.acting_for(null)', 'PT400', 'user_uid is missing', 'it must'
);
select is_refused(
    $$select identity.acting_for(tests.user_uid('no such'))$$,
    'PT404',
    'there is no user',
    'the user must be known'
);

select tests.act(
    'service_role', jsonb_build_object('sub', tests.user_uid('ann'), 'role', 'service_role')::text
);

select is(
    identity.acting_for(null), tests.user_uid('ann'), 'a sub in its token is whom it means'
);
select is(
    identity.acting_for(tests.user_uid('bob')),
    tests.user_uid('bob'),
    'unless it names another'
);

-- a definer function sees the request's role, not its owner's
reset role;
create function feed.role_inside()
returns name
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return identity.caller_role();
end;
$$;
alter function feed.role_inside() owner to feed_owner;
grant execute on function feed.role_inside() to authenticated;
select tests.act_as('ann');

select is(
    feed.role_inside(), 'authenticated', 'inside a definer function the role is the request''s'
);

select tests.act('authenticated', '{"sub": "ann", "role": "service_role"}');

select ok(
    not identity.is_service(), 'a claim does not make service_role: the role of the request does'
);

select finish();
rollback;
