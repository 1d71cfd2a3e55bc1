-- Writes what differs in the digests of these listings.
--
-- In listing_no order, as every writer of several digests does, so that no two deadlock. An
-- engagement score that another transaction has not committed yet is not seen here, and comes with
-- that transaction: a digest that is there keeps its own.
--
-- Called by   the trigger on feed.listings, bin/apply-code

create or replace function feed.write_listing_digests(listing_nos integer[] default null)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into feed.listing_digests as d (
        listing_no, is_open, cell_no, x, y, z, engagement_score, created_epoch, created_at,
        expires_at, poster_uid, tag_nos
    )
    select
        f.listing_no, f.is_open, f.cell_no, f.x, f.y, f.z, f.engagement_score, f.created_epoch,
        f.created_at, f.expires_at, f.poster_uid, f.tag_nos
    from feed.listing_digest_facts as f
    where
        write_listing_digests.listing_nos is null
        or f.listing_no = any(write_listing_digests.listing_nos)
    order by f.listing_no
    on conflict (listing_no) do update set
        is_open = excluded.is_open,
        cell_no = excluded.cell_no,
        x = excluded.x,
        y = excluded.y,
        z = excluded.z,
        created_epoch = excluded.created_epoch,
        created_at = excluded.created_at,
        expires_at = excluded.expires_at,
        poster_uid = excluded.poster_uid,
        tag_nos = excluded.tag_nos
    where
        (
            d.is_open, d.cell_no, d.x, d.y, d.z, d.created_at, d.expires_at, d.poster_uid, d.tag_nos
        )
        is distinct from
        (
            excluded.is_open, excluded.cell_no, excluded.x, excluded.y, excluded.z,
            excluded.created_at, excluded.expires_at, excluded.poster_uid, excluded.tag_nos
        );
end;
$$;

comment on function feed.write_listing_digests is
'Brings the digests of these listings, or of all, up to what feed.listings says of them.';

revoke execute on function feed.write_listing_digests from public;
