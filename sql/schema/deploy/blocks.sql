-- Listings packed in columnar blocks by place, for the fast feed.
--
-- Blocks are rows: they are written in transactions and travel with WAL, backups and
-- replicas. What changed since a block was written stands in listing_changes until a fold
-- takes it in, so a reader of both in one snapshot has every listing as it is.

begin;
set local role feed_owner;

create table feed.tag_numbers (
    tag_no integer generated always as identity primary key,
    tag text not null unique
);

comment on table feed.tag_numbers is
'A number for every tag that any listing has had, given when the listing is written.';
comment on column feed.tag_numbers.tag_no is 'What blocks hold instead of the tag.';
comment on column feed.tag_numbers.tag is 'The tag: feed.normalized_tags.';
comment on index feed.tag_numbers_pkey is 'Keeps the numbers unique.';
comment on index feed.tag_numbers_tag_key is 'Serves feeds and folds: the tag to its number.';

create table feed.listing_changes (
    change_no bigint generated always as identity primary key,
    listing_no integer,
    poster_no integer,
    constraint change_is_of_a_listing_or_a_poster check (num_nonnulls(listing_no, poster_no) = 1)
);

-- Every feed reads it whole, and folds leave it empty: what is dead must go at once.
alter table feed.listing_changes set (
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0
);

comment on table feed.listing_changes is
'What changed since the blocks were written: one row a change, appended by trigger and taken
out by the fold that read it. Append-only, so that a fold cannot take out what it has not seen.';
comment on column feed.listing_changes.change_no is
'Counts up; of two changes of one listing the later has the greater.';
comment on column feed.listing_changes.listing_no is 'The listing that is new or changed.';
comment on column feed.listing_changes.poster_no is
'The poster (feed.users.user_no) whose poster_score changed.';
comment on index feed.listing_changes_pkey is 'Serves feeds and folds.';

create sequence feed.block_versions as bigint;
comment on sequence feed.block_versions is
'A number for every writing of a block: what a session has cached is known by it.';

create table feed.listing_blocks (
    block_no integer primary key,
    version bigint not null,
    row_count integer not null
    constraint block_is_not_empty check (row_count > 0),
    center_x real,
    center_y real,
    center_z real,
    radius real,
    listing_nos bytea not null,
    xs bytea,
    ys bytea,
    zs bytea,
    engagement_scores bytea not null,
    poster_scores bytea not null,
    poster_nos bytea not null,
    created_at bytea not null,
    expires_at bytea not null,
    tag_counts bytea not null,
    tag_nos bytea not null,
    tag_starts bytea not null,
    tag_rows bytea not null,
    constraint block_has_a_place_or_none check (
        num_nulls(center_x, center_y, center_z, radius, xs, ys, zs) in (0, 7)
    ),
    constraint block_columns_are_of_one_length check (
        octet_length(listing_nos) = 4 * row_count
        and octet_length(engagement_scores) = 4 * row_count
        and octet_length(created_at) = 8 * row_count
    )
);

-- Numbers do not compress, and trying costs time at every read.
alter table feed.listing_blocks
alter column listing_nos set storage external,
alter column xs set storage external,
alter column ys set storage external,
alter column zs set storage external,
alter column engagement_scores set storage external,
alter column poster_scores set storage external,
alter column poster_nos set storage external,
alter column created_at set storage external,
alter column expires_at set storage external,
alter column tag_counts set storage external,
alter column tag_nos set storage external,
alter column tag_starts set storage external,
alter column tag_rows set storage external;

comment on table feed.listing_blocks is
'Open listings near one another, column by column in little-endian arrays of row_count
elements. Remote listings are in blocks without a place. Written by feed.fold_changes.';
comment on column feed.listing_blocks.block_no is 'The block.';
comment on column feed.listing_blocks.version is 'From feed.block_versions at every writing.';
comment on column feed.listing_blocks.row_count is 'How many listings.';
comment on column feed.listing_blocks.center_x is 'Center, on the unit sphere; null for remote.';
comment on column feed.listing_blocks.center_y is 'Center, on the unit sphere; null for remote.';
comment on column feed.listing_blocks.center_z is 'Center, on the unit sphere; null for remote.';
comment on column feed.listing_blocks.radius is
'Greatest chord from the center to a listing, rounded up; null for remote.';
comment on column feed.listing_blocks.listing_nos is 'int32, ascending.';
comment on column feed.listing_blocks.xs is 'float32: unit vectors of the places.';
comment on column feed.listing_blocks.ys is 'float32: unit vectors of the places.';
comment on column feed.listing_blocks.zs is 'float32: unit vectors of the places.';
comment on column feed.listing_blocks.engagement_scores is 'float32.';
comment on column feed.listing_blocks.poster_scores is 'float32.';
comment on column feed.listing_blocks.poster_nos is 'int32: feed.users.user_no; 0 for no poster.';
comment on column feed.listing_blocks.created_at is 'float64: seconds since 1970.';
comment on column feed.listing_blocks.expires_at is
'float64: seconds since 1970; infinity for never.';
comment on column feed.listing_blocks.tag_counts is 'uint16: number of tags.';
comment on column feed.listing_blocks.tag_nos is 'int32: the tags in the block, ascending.';
comment on column feed.listing_blocks.tag_starts is
'int32, one more than tag_nos: where the rows of each tag begin in tag_rows.';
comment on column feed.listing_blocks.tag_rows is 'uint16: rows that have the tag, tag by tag.';
comment on index feed.listing_blocks_pkey is 'Serves feeds and folds: one block.';

create table feed.block_parameters (
    is_only_row boolean primary key default true
    constraint block_parameters_have_one_row check (is_only_row),
    block_size integer not null default 16384
    constraint block_size_is_at_least_2 check (block_size between 2 and 65535)
);

comment on table feed.block_parameters is 'How listings are packed: one row.';
comment on column feed.block_parameters.is_only_row is 'Always true: keeps the table at one row.';
comment on column feed.block_parameters.block_size is
'Most listings in a block; a block over it is split.';
comment on index feed.block_parameters_pkey is 'Keeps the table at one row.';

insert into feed.block_parameters default values;

-- What was there before the blocks were is folded like any change.
insert into feed.tag_numbers (tag)
select distinct t.tag
from feed.listings as l
cross join lateral unnest(l.tags) as t (tag)
order by t.tag;

insert into feed.listing_changes (listing_no)
select l.listing_no from feed.listings as l;

commit;
