-- From seeing a listing to applying: events and users, by stage and day.

create or replace view analytics.funnel as
select
    c.day,
    s.stage,
    s.stage_no,
    s.event_count,
    s.user_count
from analytics.daily_counts as c
cross join
    lateral (
        values
        ('impression', 1, c.impression_count, c.impression_user_count),
        ('view', 2, c.view_count, c.view_user_count),
        ('click', 3, c.click_count, c.click_user_count),
        ('save', 4, c.save_count, c.save_user_count),
        ('share', 5, c.share_count, c.share_user_count),
        ('apply', 6, c.apply_count, c.apply_user_count),
        ('dismiss', 7, c.dismiss_count, c.dismiss_user_count)
    ) as s (stage, stage_no, event_count, user_count);

comment on view analytics.funnel is
'Events and users by stage and day (UTC), from impression to dismissal. Interactions count from
wherever they came, with an impression or without. Sum event_count over days, then divide;
user_count does not add up, since a user may come on several days.
Example: select stage, sum(event_count) as events from analytics.funnel
where day >= current_date - 7 group by stage, stage_no order by stage_no;';
comment on column analytics.funnel.day is 'The day, UTC.';
comment on column analytics.funnel.stage is
'impression, view, click, save, share, apply or dismiss.';
comment on column analytics.funnel.stage_no is '1 for impression to 7 for dismiss.';
comment on column analytics.funnel.event_count is
'Impressions, or counted interactions of the type, as in daily_metrics.';
comment on column analytics.funnel.user_count is 'Users who had any on that day.';
