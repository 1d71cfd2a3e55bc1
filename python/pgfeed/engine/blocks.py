"""A block: near listings, column by column, with its tags inverted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgfeed.engine.rows import Rows

COLUMNS = {
    "listing_nos": np.dtype("<i4"),
    "xs": np.dtype("<f4"),
    "ys": np.dtype("<f4"),
    "zs": np.dtype("<f4"),
    "engagement_scores": np.dtype("<f4"),
    "poster_scores": np.dtype("<f4"),
    "poster_nos": np.dtype("<i4"),
    "created_at": np.dtype("<f8"),
    "expires_at": np.dtype("<f8"),
    "tag_counts": np.dtype("<u2"),
    "tag_nos": np.dtype("<i4"),
    "tag_starts": np.dtype("<i4"),
    "tag_rows": np.dtype("<u2"),
}

# A chord computed in float32 is off by less than this on the unit sphere (0.6 m).
CHORD_ERROR = 1e-7

_NO_ROWS = np.empty(0, np.intp)


class Block:
    """A block ready for scoring.

    The columns of COLUMNS as read-only arrays, and what a user's bound is made of:
    center: (3,) float64 on the unit sphere, or None for remote listings
    radius: greatest chord from the center to a listing
    newest, oldest_expiry: extremes of created_at and expires_at
    """

    def __init__(self, row: Mapping[str, Any]) -> None:
        for name, dtype in COLUMNS.items():
            data = row[name]
            setattr(self, name, None if data is None else np.frombuffer(data, dtype))
        self.version: int = row["version"]
        self.size = len(self.listing_nos)
        self.is_remote = self.xs is None
        self.newest = float(self.created_at.max())
        self.first_expiry = float(self.expires_at.min())
        self._bases: tuple[Any, ...] = (None,)
        self._posters: tuple[NDArray[np.int32], NDArray, NDArray] | None = None
        # Since when which rows have expired, and when the next one does.
        self._expired: tuple[float, float, NDArray[np.intp]] = (np.inf, -np.inf, _NO_ROWS)

    def base(self, profile: Mapping[str, float]) -> tuple[NDArray[np.float32], NDArray, float]:
        """What does not depend on the user, for the latest profile asked for.

        Returns (n,) engagement and poster contributions, (n,) recency at the time of the
        newest listing, and the greatest sum of both that a listing of this block can have.
        """
        key = (
            profile["engagement_weight"],
            profile["poster_weight"],
            profile["recency_weight"],
            profile["half_life_seconds"],
        )
        if self._bases[0] != key:
            static = (
                np.float32(profile["engagement_weight"]) * self.engagement_scores
                + np.float32(profile["poster_weight"]) * self.poster_scores
            )
            age = ((self.created_at - self.newest) / profile["half_life_seconds"]).astype(
                np.float32
            )
            recency = np.exp2(np.maximum(age, -100, out=age), out=age)
            recency *= np.float32(profile["recency_weight"])
            self._bases = (key, static, recency, float((static + recency).max()))
        return self._bases[1], self._bases[2], self._bases[3]

    def tagged(self, tag_nos: NDArray[np.int32]) -> list[NDArray[np.uint16]]:
        """For each of these tags that is in the block, the rows that have it."""
        if not len(tag_nos) or not len(self.tag_nos):
            return []
        places = self.tag_nos.searchsorted(tag_nos)
        places[places == len(self.tag_nos)] = 0
        places = places[self.tag_nos[places] == tag_nos]
        starts, ends = self.tag_starts[places].tolist(), self.tag_starts[places + 1].tolist()
        return [self.tag_rows[start:end] for start, end in zip(starts, ends, strict=True)]

    def expired(self, as_of: float) -> NDArray[np.intp]:
        """The rows that have expired by then."""
        since, until, rows = self._expired
        if not since <= as_of < until:
            is_expired = self.expires_at <= as_of
            rows = is_expired.nonzero()[0]
            since = float(self.expires_at[rows].max(initial=-np.inf))
            until = float(self.expires_at[~is_expired].min(initial=np.inf))
            self._expired = (since, until, rows)
        return rows

    def posted(self, poster_nos: NDArray[np.int32]) -> list[tuple[int, NDArray[np.uint16]]]:
        """Those of these posters that the block has: their index, and the rows of each."""
        if self._posters is None:
            order = np.argsort(self.poster_nos, kind="stable")
            known, starts = np.unique(self.poster_nos[order], return_index=True)
            self._posters = (known, np.append(starts, self.size), order.astype(np.uint16))
        known, starts, rows = self._posters
        places = known.searchsorted(poster_nos)
        places[places == len(known)] = 0
        found = (known[places] == poster_nos).nonzero()[0]
        return [
            (index, rows[starts[place] : starts[place + 1]])
            for index, place in zip(found.tolist(), places[found].tolist(), strict=True)
        ]

    def rows(self) -> Rows:
        """The block's listings, to be packed again."""
        nowhere = np.full(self.size, np.nan, np.float32)
        lengths = np.diff(self.tag_starts)
        return Rows(
            listing_nos=self.listing_nos,
            xs=nowhere if self.is_remote else self.xs,
            ys=nowhere if self.is_remote else self.ys,
            zs=nowhere if self.is_remote else self.zs,
            engagement_scores=self.engagement_scores,
            poster_scores=self.poster_scores,
            poster_nos=self.poster_nos,
            created_at=self.created_at,
            expires_at=self.expires_at,
            tag_counts=self.tag_counts.astype(np.int32),
            tag_rows=self.tag_rows.astype(np.int32),
            tag_nos=np.repeat(self.tag_nos, lengths),
        )


def pack(rows: Rows) -> dict[str, Any]:
    """Rows as the columns of feed.listing_blocks, but for block_no and version.

    rows: all with a place or all without
    """
    rows = rows.take(np.argsort(rows.listing_nos))
    order = np.lexsort((rows.tag_rows, rows.tag_nos))
    tag_nos, counts = np.unique(rows.tag_nos, return_counts=True)
    arrays: dict[str, NDArray | None] = {
        name: getattr(rows, name) for name in COLUMNS if not name.startswith("tag_")
    }
    arrays |= {
        "tag_counts": np.minimum(rows.tag_counts, 65535),
        "tag_nos": tag_nos,
        "tag_starts": np.concatenate([[0], np.cumsum(counts)]),
        "tag_rows": rows.tag_rows[order],
    }
    packed: dict[str, Any] = {"row_count": len(rows)}
    if np.isnan(rows.xs[0]):
        arrays |= dict.fromkeys(("xs", "ys", "zs"))
        packed |= dict.fromkeys(("center_x", "center_y", "center_z", "radius"))
    else:
        places = np.stack([rows.xs, rows.ys, rows.zs]).astype(np.float64)
        center = places.mean(axis=1)
        center = (center / max(np.linalg.norm(center), 1e-12)).astype(np.float32)
        chords = np.linalg.norm(places - center[:, None], axis=0)
        packed |= dict(zip(("center_x", "center_y", "center_z"), center.tolist(), strict=True))
        packed["radius"] = float(np.float32(chords.max() * 1.000001 + 1e-6))
    for name, array in arrays.items():
        packed[name] = None if array is None else array.astype(COLUMNS[name]).tobytes()
    return packed


def split(rows: Rows, block_size: int) -> Iterator[Rows]:
    """Rows in parts of at most block_size, near ones together.

    Halves at the median of the widest dimension (a kd-tree); remote rows by listing_no.
    """
    if len(rows) <= block_size:
        if len(rows):
            yield rows
        return
    if np.isnan(rows.xs[0]):
        order = np.argsort(rows.listing_nos)
    else:
        dimensions = (rows.xs, rows.ys, rows.zs)
        widest = max(dimensions, key=lambda values: float(values.max() - values.min()))
        order = np.argsort(widest, kind="stable")
    # Whole blocks to the left, so that most end up full.
    parts = -(-len(rows) // block_size)
    middle = len(rows) * (parts // 2) // parts
    yield from split(rows.take(order[:middle]), block_size)
    yield from split(rows.take(order[middle:]), block_size)
