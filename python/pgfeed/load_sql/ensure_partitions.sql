-- The months that the staged interactions and impressions need.

select feed.ensure_partitions(s.first_at + c.shift, s.last_at + c.shift)
from (
    select
        min(e.created_at) as first_at,
        max(e.created_at) as last_at
    from (
        select i.created_at from staged_interactions as i
        union all
        select i.created_at from staged_impressions as i
    ) as e
) as s
cross join staged_clock as c
where s.first_at is not null;
