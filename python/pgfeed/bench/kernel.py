"""The bare numpy kernel: the best listings of a user from arrays in memory.

The lower bound of what scoring can cost in this language. It has all seven components and the
exclusions; it reads no database, explains nothing and serves one user's facts that are in
memory already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgfeed.bench.catalogue import BLOCK_SIZE, EARTH_RADIUS_KM, Catalogue, chord_of, unit_vector

# Rows whose content is looked at first: their best scores are the cut for all others.
FIRST = 200


@dataclass
class Facts:
    """A user's facts as arrays: rows are those of the catalogue."""

    user_no: int
    place: NDArray[np.float64] | None
    max_distance: float | None
    tag_nos: NDArray[np.int32]
    tag_count: int
    blocked_tag_nos: NDArray[np.int32]
    vector: NDArray[np.float32] | None
    removed_rows: NDArray[np.int32]
    collaborative_rows: NDArray[np.int32]
    collaborative_scores: NDArray[np.float32]
    profile: dict[str, float]


def facts(catalogue: Catalogue, row: dict[str, Any]) -> Facts:
    """From a row of asker.sql."""

    def rows(nos: list[int]) -> NDArray[np.int32]:
        return catalogue.rows(np.array(nos, np.int32))

    collaborative = rows(row["collaborative_nos"])
    known = collaborative >= 0
    removed = rows(row["removed_nos"])
    return Facts(
        user_no=row["user_no"] or 0,
        place=None if row["lat"] is None else unit_vector(row["lat"], row["lon"]),
        max_distance=row["max_distance"],
        tag_nos=np.array(row["tag_nos"], np.int32),
        tag_count=row["tag_count"],
        blocked_tag_nos=np.array(row["blocked_tag_nos"], np.int32),
        vector=None if row["vector"] is None else np.array(row["vector"], np.float32),
        removed_rows=removed[removed >= 0],
        collaborative_rows=collaborative[known],
        collaborative_scores=np.array(row["collaborative_scores"], np.float32)[known],
        profile=row["profile"],
    )


def best(
    catalogue: Catalogue, user: Facts, as_of: float, wanted: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """listing_nos and scores of the wanted best, best first."""
    p = user.profile
    now = np.float32((as_of - catalogue.epoch) / 86400)
    matched = np.zeros(len(catalogue), np.uint8 if len(user.tag_nos) < 256 else np.uint16)
    for tag_no in user.tag_nos:
        matched[catalogue.postings[tag_no]] += 1
    scores = np.full(len(catalogue), -np.inf, np.float32)
    for block in _blocks_in_reach(catalogue, user):
        _score_block(catalogue, user, slice(block, block + BLOCK_SIZE), now, matched, scores)

    # Rows out of reach keep -inf, whatever is added.
    gains = np.float32(p["collaborative_weight"]) * user.collaborative_scores
    scores[user.collaborative_rows] += gains
    for tag_no in user.blocked_tag_nos:
        scores[catalogue.postings[tag_no]] = -np.inf
    scores[user.removed_rows] = -np.inf
    return _with_content(catalogue, user, scores, wanted)


def _blocks_in_reach(catalogue: Catalogue, user: Facts) -> list[int]:
    starts = np.arange(0, len(catalogue), BLOCK_SIZE)
    if user.place is None or user.max_distance is None:
        return starts.tolist()
    centers, radii = catalogue.bounds
    gaps = np.linalg.norm(centers - user.place, axis=1) - radii
    return starts[gaps <= chord_of(user.max_distance)].tolist()


def _score_block(
    c: Catalogue,
    user: Facts,
    part: slice,
    now: np.float32,
    matched: NDArray,
    scores: NDArray[np.float32],
) -> None:
    p = user.profile
    own = np.exp2((c.created[part] - now) * np.float32(1 / p["half_life_days"]))
    own *= np.float32(p["recency_weight"])
    own += np.float32(p["engagement_weight"]) * c.engagement[part]
    own += np.float32(p["poster_weight"]) * c.poster[part]
    unknown = np.float32(p["location_weight"] * p["unknown_location_score"])
    if user.place is None:
        own += unknown
    else:
        x, y, z = user.place.astype(np.float32)
        chords = (c.xs[part] - x) ** 2
        chords += (c.ys[part] - y) ** 2
        chords += (c.zs[part] - z) ** 2
        chords = np.sqrt(chords)
        near = np.arcsin(np.minimum(chords * np.float32(0.5), np.float32(1)))
        near *= np.float32(-2 * EARTH_RADIUS_KM / p["decay_km"])
        near = np.exp(np.maximum(near, np.float32(-80)))
        near *= np.float32(p["location_weight"])
        near[np.isnan(near)] = unknown
        own += near
        if user.max_distance is not None:
            own[chords > np.float32(chord_of(user.max_distance))] = -np.inf
    if user.tag_count:
        rows = np.flatnonzero(matched[part])
        both = matched[part][rows].astype(np.float32)
        own[rows] += (
            np.float32(p["tag_weight"])
            * both
            / (np.float32(user.tag_count) + c.tag_counts[part][rows] - both)
        )
    own[c.expires[part] <= now] = -np.inf
    own[c.created[part] > now] = -np.inf
    if user.user_no:
        own[c.poster_nos[part] == user.user_no] = -np.inf
    scores[part] = own


def _with_content(
    c: Catalogue, user: Facts, scores: NDArray[np.float32], wanted: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Content of those rows only that it can lift among the best."""
    weight = np.float32(user.profile["content_weight"])
    rows = np.flatnonzero(scores > np.float32(-1e30))
    total = scores[rows]
    if user.vector is not None:
        first = rows[total > _cut(total, FIRST)]
        firsts = scores[first] + weight * np.maximum(c.vectors[first] @ user.vector, 0)
        rows = rows[total > _cut(firsts, wanted) - weight]
        total = scores[rows] + weight * np.maximum(c.vectors[rows] @ user.vector, 0)
    chosen = np.flatnonzero(total > _cut(total, wanted))
    chosen = chosen[np.argsort(-total[chosen], kind="stable")[:wanted]]
    return c.listing_nos[rows[chosen]], total[chosen]


def _cut(scores: NDArray[np.float32], wanted: int) -> np.float32:
    """A little less than the wanted-th greatest score."""
    if len(scores) <= wanted:
        return np.float32(-1e30)
    place = len(scores) - wanted
    return np.partition(scores, place)[place] - np.float32(1e-6)
