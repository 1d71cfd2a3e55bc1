-- By how much the times of these interactions were moved when they were loaded before;
-- no row if none of them is known. What is known keeps its time, so the rest follows it.

select k.created_at - s.created_at as shift
from staged_interactions as s
inner join feed.interaction_keys as k
    on s.user_uid = k.user_uid and s.event_id = k.event_id
order by s.created_at desc, s.event_id asc
limit 1;
