-- A client's time, or null if it is none.
--
-- Called by   feed.check_interaction

create or replace function feed.try_timestamptz(value text)
returns timestamptz
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
begin
    -- Only ISO 8601 with a zone: 'tomorrow' is no time, and a time without a zone is many.
    if value !~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?\s*(Z|z|[+-]\d\d(:?\d\d)?)$' then
        return null;
    end if;

    return value::timestamptz;
exception
    when data_exception then
        return null;
end;
$$;

comment on function feed.try_timestamptz is
'An ISO 8601 time with its zone as timestamptz; null for anything else.';
