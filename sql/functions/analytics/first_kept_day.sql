-- The first day that can still be counted: of earlier ones rows may be gone.
--
-- A month counts as kept while both the log and the impressions have it. A load may make months
-- of impressions anew that retention had dropped: those are not kept, whatever their partitions.
--
-- Called by   jobs.refresh_analytics

create or replace function analytics.first_kept_day()
returns date
language sql
stable
begin atomic
    select
        analytics.day_of(
            greatest(
                max(m.first_at),
                date_trunc('month', now() - min(d.interaction_lifetime), 'UTC'),
                date_trunc('month', now() - min(d.impression_lifetime), 'UTC')
            )
        )
    from (
        select
            min(
                substring(
                    pg_get_expr(c.relpartbound, c.oid) from 'FROM \(''([^'']+)''\)'
                )::timestamptz
            ) as first_at
        from pg_inherits as i
        inner join pg_class as c on i.inhrelid = c.oid
        where
            i.inhparent in (
                'feed.user_interactions'::regclass, 'feed.feed_impressions'::regclass
            )
        group by i.inhparent
    ) as m
    cross join feed.data_lifetimes as d;
end;

comment on function analytics.first_kept_day is
'The first day (UTC) of which the log and the impressions still have every row.';
