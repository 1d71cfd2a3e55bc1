-- feed.outlived_partitions: months that ended longer ago than they may live

begin;
select plan(6);

select
    feed.ensure_partitions(
        date_trunc('month', now(), 'UTC') - interval '6 months', now() + interval '1 month'
    );

create function tests.outlived(parent regclass)
returns setof integer
language sql
begin atomic
    select (
        extract(year from age(date_trunc('month', now(), 'UTC'), o.from_time)) * 12
        + extract(month from age(date_trunc('month', now(), 'UTC'), o.from_time))
    )::integer as months_ago
    from feed.outlived_partitions as o
    where o.parent = outlived.parent
    order by months_ago desc;
end;

set local timezone = 'UTC';

select is_empty('select from feed.outlived_partitions', 'by default everything is kept');

update feed.data_lifetimes
set interaction_lifetime = now() - (date_trunc('month', now()) - interval '3 months');

select results_eq(
    $$select tests.outlived('feed.user_interactions')$$,
    'values (6), (5), (4)',
    'a month that ended just so long ago has outlived it, and those before'
);
select is_empty(
    $$select tests.outlived('feed.feed_impressions')$$, 'of the log alone'
);

update feed.data_lifetimes
set
    interaction_lifetime
    = now() - (date_trunc('month', now()) - interval '3 months') + interval '1 s';

select results_eq(
    $$select tests.outlived('feed.user_interactions')$$,
    'values (6), (5)',
    'a second short of it, it has not'
);

update feed.data_lifetimes
set
    interaction_lifetime = null,
    impression_lifetime = '5 months';
set local timezone = 'Pacific/Kiritimati';
set local datestyle = 'SQL, DMY';

select results_eq(
    $$
    select
        partition::text,
        from_time,
        to_time
    from feed.outlived_partitions
    $$,
    $$
    select
        'feed.feed_impressions_'
        || to_char((date_trunc('month', now(), 'UTC') - interval '6 months') at time zone 'UTC',
            'YYYY_MM'),
        date_trunc('month', now() - interval '6 months', 'UTC'),
        date_trunc('month', now() - interval '5 months', 'UTC')
    $$,
    'impressions have their own, wherever the session is'
);
select throws_ok(
    $$update feed.data_lifetimes set impression_lifetime = '1 month'$$,
    '23514',
    null,
    'less than two months are refused: such months may still be written to'
);

select finish();
rollback;
