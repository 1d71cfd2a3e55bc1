-- The day of an instant, in UTC, whatever the session's time zone.
--
-- Called by   the functions that count by day

create or replace function analytics.day_of(instant timestamptz)
returns date
language sql
immutable
parallel safe
return (day_of.instant at time zone 'UTC')::date;

comment on function analytics.day_of is 'The day in which an instant lies, UTC.';
