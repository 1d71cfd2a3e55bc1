-- Months of the log and of impressions that have outlived what feed.data_lifetimes allows.
--
-- No row while retention is off.
--
-- Called by   jobs.keep_house, feed.drop_outlived_partition

create or replace view feed.outlived_partitions as
select
    c.oid::regclass as partition,
    i.inhparent::regclass as parent,
    b.from_time,
    b.to_time
from feed.data_lifetimes as d
cross join
    lateral (
        values
        ('feed.user_interactions'::regclass, d.interaction_lifetime),
        ('feed.feed_impressions'::regclass, d.impression_lifetime)
    ) as p (parent, lifetime)
inner join pg_catalog.pg_inherits as i on p.parent = i.inhparent
inner join pg_catalog.pg_class as c on i.inhrelid = c.oid
cross join
    lateral (
        select
            substring(e.bounds from $$FROM \('([^']+)'\)$$)::timestamptz as from_time,
            substring(e.bounds from $$TO \('([^']+)'\)$$)::timestamptz as to_time
        from (select pg_catalog.pg_get_expr(c.relpartbound, c.oid) as bounds) as e
    ) as b
where
    b.from_time is not null
    and b.to_time <= now() - p.lifetime;

comment on view feed.outlived_partitions is
'Partitions that jobs.keep_house will drop: they ended longer ago than feed.data_lifetimes lets
their rows live.';
comment on column feed.outlived_partitions.partition is 'The month.';
comment on column feed.outlived_partitions.parent is
'feed.user_interactions or feed.feed_impressions.';
comment on column feed.outlived_partitions.from_time is 'Where it begins, inclusive.';
comment on column feed.outlived_partitions.to_time is 'Where it ends, exclusive.';
