-- A component in characters that need no escaping in a URL.
--
-- Two bytes hold it to eight millionths, finer than weights can be fitted from it.
--
-- Called by   feed.ticket_components

create or replace function feed.component_code(value double precision)
returns text
language sql
immutable
parallel safe
return lpad(to_hex(coalesce(round(component_code.value * 65534)::integer, 65535)), 4, '0');

comment on function feed.component_code is
'Four hexadecimal digits, in units of 1/65534; ffff for null.';
