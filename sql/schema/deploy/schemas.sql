-- One schema an audience.

begin;

create schema api authorization feed_owner;
create schema identity authorization feed_owner;
create schema feed authorization feed_owner;
create schema ml authorization feed_owner;
create schema jobs authorization feed_owner;
create schema analytics authorization feed_owner;
create schema ops authorization feed_owner;
create schema ext;

comment on schema api is
'pgfeed: a personalised listing feed

Listings ranked for one user by seven weighted components, each row with its score, its
components and a reason. Send `Authorization: Bearer TOKEN`; the token''s `sub` is the user.
Every error is JSON with a code, a message that says what is wrong and a hint that says what
to do.';
comment on schema identity is 'Who is asking: the claims of the token as typed functions.';
comment on schema feed is 'Users, posters, listings, interactions, counters and scoring.';
comment on schema ml is 'What training writes: models, vectors, neighbors.';
comment on schema jobs is 'Scheduled procedures and the log of their runs.';
comment on schema analytics is 'Views for analysts.';
comment on schema ops is 'What code is installed, and the health of it.';
comment on schema ext is 'Extensions.';

-- A function is nobody's until it is granted.
alter default privileges for role feed_owner revoke execute on functions from public;
alter default privileges for role feed_owner revoke usage on types from public;

commit;
