"""Listings as columns, with their tags as pairs of row and tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

NUMERIC = (
    "listing_nos",
    "xs",
    "ys",
    "zs",
    "engagement_scores",
    "poster_scores",
    "poster_nos",
    "created_at",
    "expires_at",
    "tag_counts",
)


@dataclass
class Rows:
    """n open listings.

    listing_nos: (n,) int32
    xs, ys, zs: (n,) float32, unit vectors of the places; nan for remote listings
    engagement_scores, poster_scores: (n,) float32 in [0, 1]
    poster_nos: (n,) int32, 0 for no poster
    created_at, expires_at: (n,) float64, seconds since 1970; inf for never
    tag_counts: (n,) int32
    tag_rows, tag_nos: (m,) int32, one pair for each tag of each listing
    """

    listing_nos: NDArray[np.int32]
    xs: NDArray[np.float32]
    ys: NDArray[np.float32]
    zs: NDArray[np.float32]
    engagement_scores: NDArray[np.float32]
    poster_scores: NDArray[np.float32]
    poster_nos: NDArray[np.int32]
    created_at: NDArray[np.float64]
    expires_at: NDArray[np.float64]
    tag_counts: NDArray[np.int32]
    tag_rows: NDArray[np.int32]
    tag_nos: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.listing_nos)

    def take(self, chosen: NDArray[np.intp]) -> Rows:
        """The rows of these indices, in this order."""
        place = np.full(len(self), -1, dtype=np.int32)
        place[chosen] = np.arange(len(chosen), dtype=np.int32)
        pair_rows = place[self.tag_rows]
        kept = pair_rows >= 0
        columns = {name: getattr(self, name)[chosen] for name in NUMERIC}
        return Rows(**columns, tag_rows=pair_rows[kept], tag_nos=self.tag_nos[kept])


def empty() -> Rows:
    """No listings."""
    dtypes = {
        "listing_nos": np.int32,
        "poster_nos": np.int32,
        "tag_counts": np.int32,
        "tag_rows": np.int32,
        "tag_nos": np.int32,
        "created_at": np.float64,
        "expires_at": np.float64,
    }
    return Rows(**{f.name: np.empty(0, dtypes.get(f.name, np.float32)) for f in fields(Rows)})


def concatenate(parts: Sequence[Rows]) -> Rows:
    """All rows of the parts, one after the other."""
    if not parts:
        return empty()
    if len(parts) == 1:
        return parts[0]
    columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in NUMERIC}
    starts = np.cumsum([0] + [len(p) for p in parts[:-1]]).astype(np.int32)
    return Rows(
        **columns,
        tag_rows=np.concatenate([p.tag_rows + s for p, s in zip(parts, starts, strict=True)]),
        tag_nos=np.concatenate([p.tag_nos for p in parts]),
    )


FACTS = """
select
    count(*) as row_count,
    coalesce(string_agg(int4send(r.listing_no), ''), '') as listing_nos,
    coalesce(string_agg(float8send(r.lat), ''), '') as lats,
    coalesce(string_agg(float8send(r.lon), ''), '') as lons,
    coalesce(string_agg(float8send(r.engagement_score), ''), '') as engagement_scores,
    coalesce(string_agg(float8send(r.poster_score), ''), '') as poster_scores,
    coalesce(string_agg(int4send(r.poster_no), ''), '') as poster_nos,
    coalesce(string_agg(float8send(r.created_at), ''), '') as created_at,
    coalesce(string_agg(float8send(r.expires_at), ''), '') as expires_at,
    coalesce(string_agg(int4send(r.tag_count), ''), '') as tag_counts,
    coalesce(string_agg(r.tag_nos, ''), '') as tag_nos
from (
    select
        l.listing_no,
        coalesce(ext.st_y(l.location::ext.geometry), 'nan') as lat,
        coalesce(ext.st_x(l.location::ext.geometry), 'nan') as lon,
        coalesce(m.engagement_score, 0) as engagement_score,
        coalesce(p.poster_score, feed.poster_score(null, 0, 0, 0)) as poster_score,
        coalesce(u.user_no, 0) as poster_no,
        extract(epoch from l.created_at)::double precision as created_at,
        coalesce(extract(epoch from l.expires_at)::double precision, 'infinity') as expires_at,
        cardinality(l.tags) as tag_count,
        t.tag_nos
    from feed.listings as l
    left join feed.engagement_metrics as m using (listing_id)
    left join feed.posters as p on l.poster_uid = p.poster_uid
    left join feed.users as u on l.poster_uid = u.user_uid
    left join lateral (
        select string_agg(int4send(n.tag_no), '') as tag_nos
        from feed.tag_numbers as n
        where n.tag = any(l.tags)
    ) as t on true
    where
        l.listing_no = any($1)
        and l.status = 'open'
    order by l.listing_no
) as r
"""


def decode_facts(row: dict[str, object]) -> Rows:
    """The one row of FACTS as columns."""
    count = int(row["row_count"])

    def column(name: str, dtype: str) -> NDArray:
        return np.frombuffer(row[name], dtype)

    lat = np.radians(column("lats", ">f8"))
    lon = np.radians(column("lons", ">f8"))
    tag_counts = column("tag_counts", ">i4")
    return Rows(
        listing_nos=column("listing_nos", ">i4").astype(np.int32),
        xs=(np.cos(lat) * np.cos(lon)).astype(np.float32),
        ys=(np.cos(lat) * np.sin(lon)).astype(np.float32),
        zs=np.sin(lat).astype(np.float32),
        engagement_scores=column("engagement_scores", ">f8").astype(np.float32),
        poster_scores=column("poster_scores", ">f8").astype(np.float32),
        poster_nos=column("poster_nos", ">i4").astype(np.int32),
        created_at=column("created_at", ">f8").astype(np.float64),
        expires_at=column("expires_at", ">f8").astype(np.float64),
        tag_counts=tag_counts.astype(np.int32),
        tag_rows=np.repeat(np.arange(count, dtype=np.int32), tag_counts),
        tag_nos=column("tag_nos", ">i4").astype(np.int32),
    )
