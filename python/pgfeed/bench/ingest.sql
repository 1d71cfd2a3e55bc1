-- Users and listings that interactions are written for, and the same log without triggers.
--
-- Ids are numbers with a prefix, so that a writer makes them up and looks up nothing. The
-- listings are closed: no feed, and so no other figure, has them. Partitions as the log's.

drop schema if exists bench_ingest cascade;
create schema bench_ingest;

create function bench_ingest.id(number integer)
returns uuid
language sql
immutable
return ('be9cbe9c-be9c-4e9c-8e9c-' || lpad(to_hex(number), 12, '0'))::uuid;

insert into feed.users (user_uid)
select bench_ingest.id(n)
from generate_series(1, :number) as n;

insert into feed.listings (listing_id, title, status)
select
    bench_ingest.id(n),
    'bench',
    'closed'
from generate_series(1, :number) as n;

create table bench_ingest.bare (like feed.user_interactions including all)
partition by range (created_at);

create table bench_ingest.bare_now partition of bench_ingest.bare
for values from (minvalue) to (maxvalue);
