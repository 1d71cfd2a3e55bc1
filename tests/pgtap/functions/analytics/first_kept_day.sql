-- analytics.first_kept_day: from which day on nothing has been dropped

begin;
select plan(4);

create function tests.month_ago(months integer)
returns date
language sql
return (date_trunc('month', now(), 'UTC') - months * interval '1 month')::date;

select feed.ensure_partitions(tests.month_ago(6), now());
select is(
    analytics.first_kept_day(), tests.month_ago(6), 'the first month of the log is kept'
);

set local timezone = 'Pacific/Kiritimati';
update feed.data_lifetimes
set impression_lifetime = now() - (tests.month_ago(4)::timestamp at time zone 'UTC');
select is(
    analytics.first_kept_day(),
    tests.month_ago(4),
    'a month that has outlived the time of impressions is not, whether dropped yet or not'
);
update feed.data_lifetimes
set interaction_lifetime = now() - (tests.month_ago(3)::timestamp at time zone 'UTC');
select is(analytics.first_kept_day(), tests.month_ago(3), 'nor one of the log');

select
    case
        when feed.drop_outlived_partition(o.partition) then 'dropped'
    end
from feed.outlived_partitions as o
where o.parent = 'feed.user_interactions'::regclass;
update feed.data_lifetimes
set
    impression_lifetime = null,
    interaction_lifetime = null;
select is(
    analytics.first_kept_day(),
    tests.month_ago(3),
    'what was dropped stays so when retention is switched off'
);

select finish();
rollback;
