"""The score of every listing of a block for one user, but for the content component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pgfeed.engine.blocks import CHORD_ERROR, Block

EARTH_RADIUS_KM = 6371.0088
# Scores in float32 are off by less than this; whatever is nearer to the cut is kept.
SCORE_ERROR = 1e-5
# Up to this chord the arc is the chord and two terms of its series, to float32.
SHORT_CHORD = 0.2


@dataclass
class Asker:
    """What a user brings to the ranking.

    user_no: 0 if not known yet
    place: (3,) float64 unit vector, None if unknown
    max_distance: km, None for no limit
    tag_nos, blocked_tag_nos: int32, those that any listing has had
    tag_count: number of the user's tags, also those that no listing has
    vector: (d,) feature vector, None if there is none or content has no weight
    """

    user_no: int
    place: NDArray[np.float64] | None
    max_distance: float | None
    tag_nos: NDArray[np.int32]
    tag_count: int
    blocked_tag_nos: NDArray[np.int32]
    vector: NDArray[np.float64] | None
    profile: Mapping[str, float]
    as_of: float
    collaborative_limit: float = 0.0
    limit_chord: float = field(init=False)

    def __post_init__(self) -> None:
        self.limit_chord = np.inf
        if self.place is not None and self.max_distance is not None:
            angle = min(self.max_distance / EARTH_RADIUS_KM, np.pi)
            self.limit_chord = 2 * np.sin(angle / 2)


def nearest_chord(block: Block, asker: Asker) -> float:
    """No listing of the block is nearer than this; 0 where a place is unknown."""
    if block.is_remote or asker.place is None:
        return 0.0
    gap = float(np.linalg.norm(block.center - asker.place)) - block.radius - CHORD_ERROR
    return max(gap, 0.0)


def location_limit(block: Block, chord: float, asker: Asker) -> float:
    """The greatest location contribution that a listing of the block can have."""
    weight = asker.profile["location_weight"]
    if block.is_remote or asker.place is None:
        return weight * asker.profile["unknown_location_score"]
    angle = 2 * np.arcsin(min(chord / 2, 1.0))
    return weight * float(np.exp(-min(EARTH_RADIUS_KM * angle / asker.profile["decay_km"], 600)))


def score_limit(block: Block, chord: float, asker: Asker) -> float:
    """No listing of the block scores more than this."""
    _, _, base = block.base(asker.profile)
    age = (asker.as_of - block.newest) / asker.profile["half_life_seconds"]
    # An as_of before the newest listing makes the others newer than base knows.
    growth = max(1.0, float(np.exp2(min(-age, 600))))
    return (
        location_limit(block, chord, asker)
        + base * growth
        + (asker.profile["tag_weight"] if len(asker.tag_nos) else 0.0)
        + asker.collaborative_limit
        + (asker.profile["content_weight"] if asker.vector is not None else 0.0)
        + SCORE_ERROR
    )


def score(
    block: Block,
    chord: float,
    asker: Asker,
    removed_rows: NDArray[np.int32],
    collaborative_rows: NDArray[np.int32],
    collaborative_values: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Scores without content, -inf for listings that are not eligible.

    chord: nearest_chord of the block
    removed_rows: rows that the user's own history removes, or that changed since
    collaborative_rows, collaborative_values: weighted contributions by row

    Returns (n,) float32 within SCORE_ERROR, and which of them are so near to max_distance
    that float32 cannot tell (None for none).
    """
    profile = asker.profile
    static, recency, _ = block.base(profile)
    fading = np.exp2(min((block.newest - asker.as_of) / profile["half_life_seconds"], 600.0))
    if block.newest <= asker.as_of:
        scores = static + np.float32(fading) * recency
    else:
        age = np.clip((asker.as_of - block.created_at) / profile["half_life_seconds"], 0, 600)
        scores = static + (profile["recency_weight"] * np.exp2(-age)).astype(np.float32)

    uncertain = None
    if block.is_remote or asker.place is None:
        scores += np.float32(profile["location_weight"] * profile["unknown_location_score"])
    else:
        uncertain = _add_location(scores, block, chord, asker)

    if len(asker.tag_nos):
        _add_tags(scores, block, asker)
    if len(collaborative_rows):
        np.add.at(scores, collaborative_rows, collaborative_values)

    for rows in block.tagged(asker.blocked_tag_nos):
        scores[rows] = -np.inf
    if block.newest > asker.as_of:
        scores[block.created_at > asker.as_of] = -np.inf
    if block.first_expiry <= asker.as_of:
        scores[block.expires_at <= asker.as_of] = -np.inf
    if asker.user_no:
        scores[block.poster_nos == asker.user_no] = -np.inf
    if len(removed_rows):
        scores[removed_rows] = -np.inf
    return scores, uncertain


def _add_location(
    scores: NDArray[np.float32], block: Block, chord: float, asker: Asker
) -> NDArray[np.bool_] | None:
    x, y, z = asker.place.astype(np.float32)
    square = block.xs - x
    square *= square
    step = block.ys - y
    step *= step
    square += step
    step = block.zs - z
    step *= step
    square += step
    chords = np.sqrt(square, out=step)
    farthest = chord + 2 * block.radius + CHORD_ERROR
    if farthest < SHORT_CHORD:
        # 2 asin(c/2) = c (1 + c²/24 + 3c⁴/640 + …)
        arcs = square * np.float32(3 / 640)
        arcs += np.float32(1 / 24)
        arcs *= square
        arcs += np.float32(1)
        arcs *= chords
    else:
        arcs = 2 * np.arcsin(np.minimum(chords * np.float32(0.5), np.float32(1)))
    arcs *= np.float32(-EARTH_RADIUS_KM / asker.profile["decay_km"])
    np.maximum(arcs, np.float32(-80), out=arcs)
    np.exp(arcs, out=arcs)
    arcs *= np.float32(asker.profile["location_weight"])
    scores += arcs

    if farthest < asker.limit_chord - CHORD_ERROR * 4:
        return None
    scores[chords > asker.limit_chord + CHORD_ERROR * 4] = -np.inf
    uncertain = chords > asker.limit_chord - CHORD_ERROR * 4
    return uncertain if uncertain.any() else None


def _add_tags(scores: NDArray[np.float32], block: Block, asker: Asker) -> None:
    """Jaccard index from the rows of each tag of the user that the block has."""
    tagged = list(block.tagged(asker.tag_nos))
    if not tagged:
        return
    matched = np.bincount(np.concatenate(tagged), minlength=block.size)
    rows = np.flatnonzero(matched)
    matched = matched[rows].astype(np.float32)
    union = np.float32(asker.tag_count) + block.tag_counts[rows] - matched
    scores[rows] += np.float32(asker.profile["tag_weight"]) * matched / union
