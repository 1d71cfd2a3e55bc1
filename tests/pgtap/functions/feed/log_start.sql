-- feed.log_start: the oldest month of the log

begin;
select plan(2);

select feed.ensure_partitions(timestamptz '2019-03-10Z', timestamptz '2019-03-10Z');

select is(
    feed.log_start(), timestamptz '2019-03-01Z', 'the log begins with its oldest month, in UTC'
);

set local timezone = 'Asia/Kolkata';

select is(feed.log_start(), timestamptz '2019-03-01Z', 'whatever the session''s time zone');

select finish();
rollback;
