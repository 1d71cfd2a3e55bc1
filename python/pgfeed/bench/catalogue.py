"""The open listings as arrays in memory: what the bare kernel scores, and who reaches how many."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import psycopg
from numpy.typing import NDArray

EARTH_RADIUS_KM = 6371.0088
BLOCK_SIZE = 4096

READ = """
select
    coalesce(string_agg(int4send(l.listing_no), ''), '') as listing_nos,
    coalesce(string_agg(float8send(coalesce(ext.st_y(l.location::ext.geometry), 'nan')), ''), '')
        as lats,
    coalesce(string_agg(float8send(coalesce(ext.st_x(l.location::ext.geometry), 'nan')), ''), '')
        as lons,
    coalesce(string_agg(float8send(coalesce(m.engagement_score, 0)), ''), '') as engagement,
    coalesce(string_agg(float8send(
        coalesce(o.poster_score, feed.poster_score(null, 0, 0, 0))
    ), ''), '') as poster,
    coalesce(string_agg(int4send(coalesce(u.user_no, 0)), ''), '') as poster_nos,
    coalesce(string_agg(float8send(extract(epoch from l.created_at)::float8), ''), '') as created,
    coalesce(string_agg(float8send(
        coalesce(extract(epoch from l.expires_at)::float8, 'infinity')
    ), ''), '') as expires,
    coalesce(string_agg(int4send(cardinality(l.tags)), ''), '') as tag_counts,
    coalesce(string_agg((
        select string_agg(int4send(n.tag_no), '') from feed.tag_numbers as n
        where n.tag = any(l.tags)
    ), ''), '') as tag_nos
from feed.listings as l
left join feed.engagement_metrics as m using (listing_id)
left join feed.posters as o on l.poster_uid = o.poster_uid
left join feed.users as u on l.poster_uid = u.user_uid
where l.status = 'open' and l.listing_no between %s and %s
"""
VECTORS = """
select v.listing_no, v.feature_vector::real[] as vector
from ml.listing_vectors as v
where v.model_id = (select c.model_id from ml.current_model as c)
    and v.feature_vector is not null and v.listing_no between %s and %s
"""
READ_STEP = 100_000


@dataclass
class Catalogue:
    """n open listings in order of place, remote ones last, in blocks of BLOCK_SIZE.

    xs, ys, zs: (n,) float32 unit vectors, nan for remote
    created, expires: (n,) float32 days since `epoch`, inf for never
    postings: for each tag_no the rows that have it, ascending
    vectors: (n, d) float32 unit vectors, 0 where there is none
    """

    listing_nos: NDArray[np.int32]
    xs: NDArray[np.float32]
    ys: NDArray[np.float32]
    zs: NDArray[np.float32]
    engagement: NDArray[np.float32]
    poster: NDArray[np.float32]
    poster_nos: NDArray[np.int32]
    created: NDArray[np.float32]
    expires: NDArray[np.float32]
    tag_counts: NDArray[np.float32]
    postings: list[NDArray[np.int32]]
    vectors: NDArray[np.float32]
    epoch: float

    def __len__(self) -> int:
        return len(self.listing_nos)

    @cached_property
    def row_of(self) -> NDArray[np.int32]:
        """(highest listing_no + 1,) the row of each listing, -1 for none."""
        rows = np.full(int(self.listing_nos.max(initial=0)) + 1, -1, np.int32)
        rows[self.listing_nos] = np.arange(len(self), dtype=np.int32)
        return rows

    def rows(self, listing_nos: NDArray[np.int32]) -> NDArray[np.int32]:
        """The rows of these listings, -1 for those that are not open."""
        known = np.where(listing_nos < len(self.row_of), listing_nos, 0)
        return np.where(listing_nos < len(self.row_of), self.row_of[known], -1)

    @cached_property
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(b, 3) centers and (b,) radii (chords) of the blocks; radius inf with remote rows."""
        centers, radii = [], []
        for start in range(0, len(self), BLOCK_SIZE):
            part = slice(start, start + BLOCK_SIZE)
            places = np.stack([self.xs[part], self.ys[part], self.zs[part]], axis=1).astype(float)
            if np.isnan(places).any():
                centers.append(np.zeros(3))
                radii.append(np.inf)
                continue
            center = places.mean(axis=0)
            centers.append(center)
            radii.append(np.linalg.norm(places - center, axis=1).max() + 1e-6)
        return np.array(centers).reshape(-1, 3), np.array(radii)

    def chords(self, place: NDArray[np.float64]) -> NDArray[np.float32]:
        """(n,) chords on the unit sphere, nan for remote."""
        x, y, z = place.astype(np.float32)
        return np.sqrt((self.xs - x) ** 2 + (self.ys - y) ** 2 + (self.zs - z) ** 2)

    def reach(self, place: NDArray | None, max_distance: float | None, as_of: float) -> int:
        """How many listings are open now, and within max_distance or remote."""
        alive = self.expires > np.float32((as_of - self.epoch) / 86400)
        if place is None or max_distance is None:
            return int(alive.sum())
        limit = chord_of(max_distance)
        return int((alive & ~(self.chords(place) > limit)).sum())


def chord_of(distance_km: float) -> float:
    """The chord on the unit sphere of a great-circle distance."""
    return 2 * np.sin(min(distance_km / EARTH_RADIUS_KM, np.pi) / 2)


def unit_vector(lat: float, lon: float) -> NDArray[np.float64]:
    """A place in degrees as (3,) unit vector."""
    lat, lon = np.radians([lat, lon])
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def read_catalogue(connection: psycopg.Connection) -> Catalogue:
    """All open listings."""
    highest = connection.execute("select coalesce(max(listing_no), 0) from feed.listings")
    steps = range(1, highest.fetchone()[0] + 1, READ_STEP)
    parts = []
    for start in steps:
        parts.append(
            connection.execute(READ, (start, start + READ_STEP - 1), binary=True).fetchone()
        )

    def column(index: int, dtype: str) -> NDArray:
        return np.concatenate([np.frombuffer(part[index], dtype) for part in parts])

    listing_nos = column(0, ">i4").astype(np.int32)
    lat, lon = np.radians(column(1, ">f8")), np.radians(column(2, ">f8"))
    places = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    order = _order_by_place(places)
    tag_counts = column(8, ">i4").astype(np.int64)
    created = column(6, ">f8")
    epoch = float(created.max(initial=0))
    place_of = np.empty(len(order), np.int32)
    place_of[order] = np.arange(len(order), dtype=np.int32)
    pair_rows = np.repeat(place_of, tag_counts)
    pair_tags = column(9, ">i4").astype(np.int32)
    by_tag = np.lexsort((pair_rows, pair_tags))
    ends = np.searchsorted(pair_tags[by_tag], np.arange(int(pair_tags.max(initial=0)) + 2))
    pair_rows = pair_rows[by_tag]

    row_of = np.full(int(listing_nos.max(initial=0)) + 1, -1, np.int32)
    row_of[listing_nos[order]] = np.arange(len(order), dtype=np.int32)
    return Catalogue(
        listing_nos=listing_nos[order],
        xs=places[0][order].astype(np.float32),
        ys=places[1][order].astype(np.float32),
        zs=places[2][order].astype(np.float32),
        engagement=column(3, ">f8")[order].astype(np.float32),
        poster=column(4, ">f8")[order].astype(np.float32),
        poster_nos=column(5, ">i4")[order].astype(np.int32),
        created=((created[order] - epoch) / 86400).astype(np.float32),
        expires=((column(7, ">f8")[order] - epoch) / 86400).astype(np.float32),
        tag_counts=tag_counts[order].astype(np.float32),
        postings=[pair_rows[a:b] for a, b in pairwise(ends)],
        vectors=_read_vectors(connection, row_of, len(order), steps),
        epoch=epoch,
    )


def _read_vectors(
    connection: psycopg.Connection, row_of: NDArray[np.int32], count: int, steps: range
) -> NDArray[np.float32]:
    vectors = np.zeros((count, 1), np.float32)
    sql = f"""
        select coalesce(string_agg(int4send(v.listing_no), ''), ''),
            coalesce(string_agg(array_send(v.vector), ''), '')
        from ({VECTORS}) as v
    """
    for start in steps:
        nos, data = connection.execute(sql, (start, start + READ_STEP - 1), binary=True).fetchone()
        nos = np.frombuffer(nos, ">i4")
        if not len(nos):
            continue
        # real[] as array_send writes it: 20 bytes of header, then length and value.
        read = np.frombuffer(data, ">i4").reshape(len(nos), -1)[:, 6::2]
        read = read.astype("<i4").view("<f4")
        if vectors.shape[1] != read.shape[1]:
            vectors = np.zeros((count, read.shape[1]), np.float32)
        rows = np.where(nos < len(row_of), row_of[np.minimum(nos, len(row_of) - 1)], -1)
        vectors[rows[rows >= 0]] = read[rows >= 0]
    return vectors


def _order_by_place(places: NDArray[np.float64]) -> NDArray[np.intp]:
    """Halves at the median of the widest dimension down to BLOCK_SIZE; remote last."""
    ordered: list[NDArray[np.intp]] = []

    def split(rows: NDArray[np.intp]) -> None:
        if len(rows) <= BLOCK_SIZE:
            ordered.append(rows)
            return
        own = places[:, rows]
        widest = own[np.argmax(own.max(axis=1) - own.min(axis=1))]
        # Whole blocks to the left, so that blocks of the result are those of the tree.
        middle = BLOCK_SIZE * max(len(rows) // BLOCK_SIZE // 2, 1)
        rows = rows[np.argpartition(widest, middle)] if middle < len(rows) else rows
        split(rows[:middle])
        split(rows[middle:])

    remote = np.isnan(places[0])
    split(np.flatnonzero(~remote))
    return np.concatenate([*ordered, np.flatnonzero(remote)])
