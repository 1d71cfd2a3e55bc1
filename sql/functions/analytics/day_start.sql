-- When a day begins, in UTC, whatever the session's time zone.
--
-- Called by   the functions that count by day

create or replace function analytics.day_start(day date)
returns timestamptz
language sql
immutable
parallel safe
return day_start.day::timestamp at time zone 'UTC';

comment on function analytics.day_start is 'The first instant of a day, UTC.';
