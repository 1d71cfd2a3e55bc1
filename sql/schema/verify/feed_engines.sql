begin;

select
    is_only_row,
    feed_engine,
    since
from ops.engine_in_force
where false;

select
    listing_no,
    is_open,
    cell_no,
    x,
    y,
    z,
    engagement_score,
    created_epoch,
    created_at,
    expires_at,
    poster_uid,
    tag_nos
from feed.listing_digests
where false;

select ext.icount('{1,2}'::integer[]);

rollback;
