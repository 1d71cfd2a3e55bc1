-- What a user did before makes their next interactions no dearer: each state is one look-up.
--
-- Measured in blocks, whatever the machine: a statement's count has what its triggers read.

begin;
select plan(3);

create view pg_temp.blocks as
select sum(s.shared_blks_hit + s.shared_blks_read) as blocks
from ext.pg_stat_statements as s
where
    s.dbid = (
        select d.oid from pg_database as d
        where d.datname = current_database()
    )
    and s.query ~ '^(insert into|delete from) feed.user_interactions';

select tests.user('ann');
select tests.user('bob');

insert into feed.listings (title)
select 'x' from generate_series(1, 20000);

insert into feed.user_listing_states (user_no, listing_no, view_count, strongest_weight, last_at)
select
    tests.user_no('ann'),
    l.listing_no,
    1,
    1,
    now() - interval '40 days'
from feed.listings as l;

analyze feed.listings, feed.user_listing_states, feed.users;

create temporary table chosen as
select l.listing_id
from feed.listings as l
where l.listing_no % 1000 = 0;

select cmp_ok((select count(*) from chosen), '>=', 20::bigint, 'there are listings to look at');

-- bob has done nothing, ann has seen them all
select ext.pg_stat_statements_reset();
insert into feed.user_interactions (user_uid, listing_id, type)
select
    tests.user_uid('bob'),
    c.listing_id,
    'view'
from chosen as c;
select b.blocks as written_by_bob from blocks as b \gset

select ext.pg_stat_statements_reset();
insert into feed.user_interactions (user_uid, listing_id, type)
select
    tests.user_uid('ann'),
    c.listing_id,
    'view'
from chosen as c;
select b.blocks as written_by_ann from blocks as b \gset

select ext.pg_stat_statements_reset();
delete from feed.user_interactions as i
where i.user_uid = tests.user_uid('bob');
select b.blocks as taken_back_by_bob from blocks as b \gset

select ext.pg_stat_statements_reset();
delete from feed.user_interactions as i
where i.user_uid = tests.user_uid('ann');
select b.blocks as taken_back_by_ann from blocks as b \gset

select cmp_ok(
    :written_by_ann::numeric,
    '<',
    2 * :written_by_bob::numeric,
    'to write of somebody with a long history reads hardly more than of somebody new'
);
select cmp_ok(
    :taken_back_by_ann::numeric,
    '<',
    2 * :taken_back_by_bob::numeric,
    'and so does taking it back'
);

select finish();
rollback;
