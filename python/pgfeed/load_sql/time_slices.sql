-- Bounds (after, until] of slices with about slice_rows interactions each, oldest first; as
-- text, since the first one is -infinity.

with numbered as (
    select
        i.created_at,
        row_number() over (order by i.created_at) as row_number
    from staged_interactions as i
),

cuts as (
    select n.created_at
    from numbered as n
    where mod(n.row_number, %(slice_rows)s) = 0
    union
    select max(n.created_at) as created_at from numbered as n
)

select
    lag(c.created_at, 1, '-infinity') over (order by c.created_at)::text as after_time,
    c.created_at::text as until_time
from cuts as c
where c.created_at is not null
order by c.created_at;
