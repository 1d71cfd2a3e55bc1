begin;

select
    tag_no,
    tag
from feed.tag_numbers
where false;

select
    change_no,
    listing_no,
    poster_no
from feed.listing_changes
where false;

select
    block_no,
    version,
    row_count,
    center_x,
    radius,
    listing_nos,
    xs,
    engagement_scores,
    poster_scores,
    poster_nos,
    created_at,
    expires_at,
    tag_counts,
    tag_nos,
    tag_starts,
    tag_rows
from feed.listing_blocks
where false;

select 1 / count(*) from feed.block_parameters
where block_size >= 2;

select pg_catalog.has_sequence_privilege('feed.block_versions', 'usage');

rollback;
