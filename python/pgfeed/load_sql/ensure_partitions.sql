-- The months that the staged interactions need.

select feed.ensure_partitions(s.first_at + c.shift, s.last_at + c.shift)
from (
    select
        min(i.created_at) as first_at,
        max(i.created_at) as last_at
    from staged_interactions as i
) as s
cross join staged_clock as c
where s.first_at is not null;
