-- From which day on jobs.refresh_analytics has to count anew.

insert into analytics.stale_days (since)
select analytics.day_of(s.first_at + c.shift)
from (
    select min(e.created_at) as first_at
    from (
        select i.created_at from staged_interactions as i
        union all
        select i.created_at from staged_impressions as i
    ) as e
) as s
cross join staged_clock as c
where s.first_at is not null;
