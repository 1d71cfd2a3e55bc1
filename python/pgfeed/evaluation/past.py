"""What the baselines know at a cut-off, as matrices: the same facts that the product is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from pgfeed.csv_layout import INTERACTION_TYPES
from pgfeed.evaluation import known
from pgfeed.evaluation.cutoffs import DAY, Cutoff
from pgfeed.evaluation.data import DISMISS, Data, micros

# feed.interaction_weights over 10, as in the product's own matrix: an application is 1.
STRENGTH = {"view": 0.1, "click": 0.2, "share": 0.3, "save": 0.5, "apply": 1.0, "dismiss": 0.0}
_STRENGTHS = np.array([STRENGTH[name] for name in INTERACTION_TYPES])

EARTH_KM = 6371.0088


@dataclass(frozen=True)
class Past:
    """Everything before a cut-off. Positions are those of Data.

    user, listing: (n,) int32 each pair once, with strength (n,) in (0, 1] and age (n,) in days
        since it was last touched; dismissed pairs are left out
    shape: users, listings
    tags: (listings, tags) bool CSR
    place: (users, 2), listing_place: (listings, 2) radians, NaN where unknown
    expires_at: (listings,) int64, of those that never expire the greatest
    cache: what a baseline computes once for all its trials
    """

    at: int
    user: np.ndarray
    listing: np.ndarray
    strength: np.ndarray
    age: np.ndarray
    shape: tuple[int, int]
    tags: sparse.csr_matrix
    place: np.ndarray
    listing_place: np.ndarray
    expires_at: np.ndarray
    cache: dict[Any, Any] = field(default_factory=dict)

    def matrix(self, half_life: float = np.inf) -> sparse.csr_matrix:
        """(users, listings) float64 of strength · 0.5^(age / half_life), in days."""
        decayed = self.strength * 0.5 ** (self.age / half_life)
        return sparse.csr_matrix((decayed, (self.user, self.listing)), shape=self.shape)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` gives, made the first time only."""
        if key not in self.cache:
            self.cache[key] = make()
        return self.cache[key]


def past_at(data: Data, cutoff: Cutoff) -> Past:
    """The past of a cut-off."""
    count = known.interactions_at(data, cutoff.at)
    exists = data.created_at <= cutoff.at
    rows = np.flatnonzero(exists[data.listing[:count]])
    shape = (len(data.users), len(data.listings))
    pairs = data.user[rows].astype(np.int64) * shape[1] + data.listing[rows]
    # In time order before: stable, so the last of each run is the newest.
    order = np.argsort(pairs, kind="stable")
    pairs, rows = pairs[order], rows[order]
    starts = np.flatnonzero(np.concatenate([[True], pairs[1:] != pairs[:-1]])[: len(pairs)])
    if len(starts):
        strength = np.maximum.reduceat(_STRENGTHS[data.type[rows]], starts)
        is_dismissed = np.maximum.reduceat(data.type[rows] == DISMISS, starts)
        last = np.maximum.reduceat(data.at[rows], starts)
    else:
        strength = is_dismissed = last = np.zeros(0)
    kept = (strength > 0) & ~is_dismissed.astype(bool)
    pair = pairs[starts][kept]
    return Past(
        cutoff.at,
        (pair // shape[1]).astype(np.int32),
        (pair % shape[1]).astype(np.int32),
        strength[kept],
        (cutoff.at - last[kept]) / DAY,
        shape,
        tag_matrix(data),
        np.radians([_place(known.user_at(data, user, cutoff.at)) for user in range(shape[0])]),
        np.radians([_place(row) for row in data.listings]),
        np.array([_end(row) for row in data.listings], dtype=np.int64),
    )


def tag_matrix(data: Data) -> sparse.csr_matrix:
    """(listings, tags) of 0 and 1."""
    number: dict[str, int] = {}
    rows, columns = [], []
    for position, row in enumerate(data.listings):
        for tag in dict.fromkeys(row["tags"] or ()):
            rows.append(position)
            columns.append(number.setdefault(tag, len(number)))
    shape = (len(data.listings), max(len(number), 1))
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)


def distance_km(place: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(n,) great-circle distances (haversine) of one place (2,) to places (n, 2), in radians."""
    half = (places - place) / 2
    chord = (
        np.sin(half[:, 0]) ** 2 + np.cos(place[0]) * np.cos(places[:, 0]) * np.sin(half[:, 1]) ** 2
    )
    return 2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(chord, 0, 1)))


def _place(row: dict[str, Any]) -> tuple[float, float]:
    lat, lon = row.get("lat"), row.get("lon")
    return (np.nan, np.nan) if lat is None or lon is None else (lat, lon)


def _end(row: dict[str, Any]) -> int:
    ends = row.get("expires_at") or row.get("starts_at")
    return np.iinfo(np.int64).max if ends is None else micros(ends)
