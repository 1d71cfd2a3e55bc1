begin;

alter default privileges for role feed_owner grant execute on functions to public;
alter default privileges for role feed_owner grant usage on types to public;

-- Replaceable code lives in these schemas and is nobody's ledger: it goes with them.
drop schema api cascade;
drop schema identity cascade;
drop schema feed cascade;
drop schema ml cascade;
drop schema jobs cascade;
drop schema analytics cascade;
drop schema ops cascade;
drop schema ext cascade;

commit;
