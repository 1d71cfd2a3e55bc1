-- Which engine finds the best listings, and what the engine in plain SQL reads.
--
-- intarray counts the tags that two sets have in common; it is trusted, so that whoever may
-- create in the database may have it.

begin;

do $$
declare
    other_schema constant regnamespace := (
        select e.extnamespace from pg_extension as e
        where e.extname = 'intarray' and e.extnamespace <> 'ext'::regnamespace
    );
begin
    if other_schema is not null then
        raise exception 'the extension intarray is in the schema %, and must be in ext', other_schema
        using hint = 'alter extension intarray set schema ext; then deploy again.';
    end if;
end;
$$;

create extension if not exists intarray with schema ext;

set local role feed_owner;

create type ops.feed_engine as enum ('python', 'sql');
comment on type ops.feed_engine is
'python: blocks and numpy inside the server (plpython3u); sql: plain SQL, for servers without
Python.';

create table ops.engine_in_force (
    is_only_row boolean primary key default true
    constraint engine_in_force_has_one_row check (is_only_row),
    feed_engine ops.feed_engine not null default 'python',
    since timestamptz not null default now()
);

comment on table ops.engine_in_force is
'Whose code feed.best_listings is: one row, written by bin/apply-code in the transaction that
replaces the code. To change it: PGFEED_ENGINE=sql bin/deploy.';
comment on column ops.engine_in_force.is_only_row is 'Always true: keeps the table at one row.';
comment on column ops.engine_in_force.feed_engine is 'The engine.';
comment on column ops.engine_in_force.since is 'When its code was first applied.';
comment on index ops.engine_in_force_pkey is 'Keeps the table at one row.';

insert into ops.engine_in_force default values;

create table feed.listing_digests (
    listing_no integer primary key references feed.listings (listing_no) on delete cascade,
    is_open boolean not null,
    cell_no integer not null,
    x double precision,
    y double precision,
    z double precision,
    engagement_score double precision not null,
    created_epoch double precision not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    poster_uid uuid,
    tag_nos integer[] not null,
    constraint digest_has_a_place_or_none check (num_nulls(x, y, z) in (0, 3))
)
with (fillfactor = 80);

comment on table feed.listing_digests is
'What the engine in SQL reads of a listing, one narrow row each, open or closed, kept by trigger in
the writer''s transaction. Empty under the engine in Python.';
comment on column feed.listing_digests.listing_no is 'The listing: feed.listings.listing_no.';
comment on column feed.listing_digests.is_open is 'status is open.';
comment on column feed.listing_digests.cell_no is 'feed.cell_no of its place; -1 for remote.';
comment on column feed.listing_digests.x is 'Unit vector of the place; null for remote.';
comment on column feed.listing_digests.y is 'Unit vector of the place; null for remote.';
comment on column feed.listing_digests.z is 'Unit vector of the place; null for remote.';
comment on column feed.listing_digests.engagement_score is
'As in feed.engagement_metrics; 0 for a listing without a row there.';
comment on column feed.listing_digests.created_epoch is 'created_at in seconds since 1970.';
comment on column feed.listing_digests.created_at is 'As in feed.listings.';
comment on column feed.listing_digests.expires_at is 'As in feed.listings; infinity for never.';
comment on column feed.listing_digests.poster_uid is 'As in feed.listings.';
comment on column feed.listing_digests.tag_nos is 'feed.tag_numbers of its tags, ascending.';
comment on index feed.listing_digests_pkey is 'Serves the triggers: one listing''s digest.';

create index listing_digests_cell_idx on feed.listing_digests (cell_no) where is_open;
comment on index feed.listing_digests_cell_idx is 'Serves feeds with a limit of distance.';

commit;
