-- feed.profile_of: shares of users, and nobody moves who need not

begin;
select plan(16);

insert into feed.users (user_uid)
select tests.user_uid('user ' || n)
from generate_series(1, 20000) as n;
insert into feed.ranking_profiles (profile_name)
values ('calm'), ('bold');

create temporary table known (user_uid uuid primary key, profile_name text not null);

-- who has another profile than when this was last asked
create function tests.moved()
returns table (before text, after text)
language plpgsql
as $$
begin
    return query
    select
        k.profile_name,
        feed.profile_of(k.user_uid)
    from known as k
    where k.profile_name <> feed.profile_of(k.user_uid);

    delete from known;
    insert into known (user_uid, profile_name)
    select
        u.user_uid,
        feed.profile_of(u.user_uid)
    from feed.users as u;
end;
$$;

-- how far the share of users is from this one, in standard deviations
create function tests.off(profile_name text, share double precision)
returns double precision
language sql
return (
    select
        abs(count(*) filter (where k.profile_name = off.profile_name) - off.share * count(*))
        / sqrt(off.share * (1 - off.share) * count(*))
    from known as k
);

select tests.moved();

select results_eq(
    'select distinct profile_name from known',
    $$values ('default')$$,
    'without an experiment everybody has default'
);

insert into feed.experiments (profile_name, buckets)
values ('calm', '[0,50)');

select set_eq(
    'select distinct before, after from tests.moved()',
    $$values ('default', 'calm')$$,
    'an experiment takes users from default'
);
select cmp_ok(tests.off('calm', 0.05), '<', 3::double precision, 'as many as it should');

insert into feed.experiments (profile_name, buckets)
values ('bold', '[900,1000)');

select set_eq(
    'select distinct before, after from tests.moved()',
    $$values ('default', 'bold')$$,
    'a second one leaves those of the first where they are'
);
select cmp_ok(tests.off('bold', 0.1), '<', 3::double precision, 'has its share');
select cmp_ok(tests.off('calm', 0.05), '<', 3::double precision, 'and leaves the first its own');

update feed.experiments as e
set buckets = '[0,200)'
where e.profile_name = 'calm';

select set_eq(
    'select distinct before, after from tests.moved()',
    $$values ('default', 'calm')$$,
    'widened it takes more of default, and loses nobody'
);
select cmp_ok(tests.off('calm', 0.2), '<', 3::double precision, 'a fifth now');

delete from feed.experiments as e
where e.profile_name = 'calm';

select set_eq(
    'select distinct before, after from tests.moved()',
    $$values ('calm', 'default')$$,
    'stopped, its users have default again, and those of the other stay'
);
select is(
    feed.profile_of('0f16cf0b-503b-45d9-a699-416cf95c11e1'), 'default', 'bucket 894 is not in it'
);

update feed.experiments as e
set buckets = '[894,895)'
where e.profile_name = 'bold';

select is(
    feed.profile_of('0f16cf0b-503b-45d9-a699-416cf95c11e1'),
    'bold',
    'a thousandth of the users is a part, known to the server or not'
);
select is(feed.profile_of(null), 'default', 'nobody has default');

update feed.ranking_profiles as p
set is_offered = false
where p.profile_name = 'bold';

select is(
    feed.profile_of('0f16cf0b-503b-45d9-a699-416cf95c11e1'),
    'default',
    'a profile that is no longer offered ranks for nobody'
);

update feed.ranking_profiles as p
set is_offered = true
where p.profile_name = 'bold';

-- one look-up in one small table
select results_eq(
    $$
    select n.relation, n.loops
    from tests.plan_nodes(
        $q$
        select e.profile_name from feed.experiments as e
        where e.buckets @> feed.bucket_of('0f16cf0b-503b-45d9-a699-416cf95c11e1')
        $q$,
        true
    ) as n
    where n.relation is not null
    $$,
    $$values ('experiments', 1)$$,
    'it reads the experiments once, and nothing else'
);
select is(
    (
        select p.provolatile from pg_proc as p
        where p.oid = 'feed.profile_of'::regproc
    ),
    's',
    'in the snapshot of the feed'
);

-- who has a profile by experiment still has it when all is default
update feed.experiments as e
set buckets = '[0,1000)'
where e.profile_name = 'bold';
select tests.moved();

select results_eq(
    'select distinct profile_name from known', $$values ('bold')$$, 'all of them are a part too'
);

select finish();
rollback;
