"""The score of every listing of a block for one user, but for the content component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pgfeed.engine.blocks import CHORD_ERROR, Block

EARTH_RADIUS_KM = 6371.0088
# Sums of float32 contributions are off by less than this, but for the place.
SUM_ERROR = 5e-6
# Up to this chord the arc is the chord and two terms of its series, to float32.
SHORT_CHORD = 0.2


@dataclass
class Asker:
    """What a user brings to the ranking.

    user_no: 0 if not known yet
    poster_no: the same if the user is a poster, else 0
    place: (3,) float64 unit vector, None if unknown
    max_distance: km, None for no limit
    tag_nos, blocked_tag_nos: int32, those that any listing has had
    tag_count: number of the user's tags, also those that no listing has
    vector: (d,) feature vector, None if there is none
    model_id: the model that the vector is of
    """

    user_no: int
    poster_no: int
    place: NDArray[np.float64] | None
    max_distance: float | None
    tag_nos: NDArray[np.int32]
    tag_count: int
    blocked_tag_nos: NDArray[np.int32]
    vector: NDArray[np.float64] | None
    model_id: int | None
    profile: Mapping[str, float]
    as_of: float
    limit_chord: float = field(init=False)
    score_error: float = field(init=False)

    def __post_init__(self) -> None:
        # Scores in float32 are off by less than this; whatever is nearer to the cut is kept.
        # A place is off by a metre, which is much where the decay is short.
        steepest = self.profile["location_weight"] / self.profile["decay_km"]
        self.score_error = SUM_ERROR + steepest * EARTH_RADIUS_KM * 2 * CHORD_ERROR
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
    """No listing of the block scores more than this, but for what score() is told to add."""
    _, _, base = block.base(asker.profile)
    age = (asker.as_of - block.newest) / asker.profile["half_life_seconds"]
    # An as_of before the newest listing makes the others newer than base knows.
    growth = max(1.0, float(np.exp2(min(-age, 600))))
    return (
        location_limit(block, chord, asker)
        + base * growth
        + (asker.profile["tag_weight"] if len(asker.tag_nos) else 0.0)
        + (asker.profile["content_weight"] if asker.vector is not None else 0.0)
        + asker.score_error
    )


@dataclass
class Scored:
    """Listings of a block that are eligible and may be among the best.

    rows: (n,) rows of the block
    scores: (n,) float32 without content, within the asker's score_error
    uncertain: (n,) so near to max_distance that float32 cannot tell; None for none
    """

    rows: NDArray[np.intp]
    scores: NDArray[np.float32]
    uncertain: NDArray[np.bool_] | None


def score(
    block: Block,
    chord: float,
    asker: Asker,
    needed: float,
    removed_rows: NDArray[np.int32],
    chosen_rows: NDArray[np.int32],
    chosen_values: NDArray[np.float32],
    poster_gain: NDArray[np.float32] | None,
) -> Scored:
    """The listings of a block whose score without content is above `needed`.

    What is cheap comes first; the place, which is not, only for what can still get there.

    chord: nearest_chord of the block
    removed_rows: rows that the user's own history removes, or that changed since
    chosen_rows, chosen_values: what choices of neighbors and of the user add, each row once
    poster_gain: (n,) what posters add that is not in the block, None for nothing
    """
    scores = _base(block, asker)
    if poster_gain is not None:
        scores += poster_gain
    if len(asker.tag_nos):
        _add_tags(scores, block, asker)
    if len(chosen_rows):
        scores[chosen_rows] += chosen_values
    _remove(scores, block, asker, removed_rows)

    # -inf is for what is not eligible; nothing that is scores below 0.
    location = location_limit(block, chord, asker)
    rows = (scores > max(needed - location - asker.score_error, -1.0)).nonzero()[0]
    kept = scores[rows]
    if block.is_remote or asker.place is None:
        kept += np.float32(location)
        return Scored(rows, kept, None)
    if not len(rows):
        return Scored(rows, kept, None)
    return _add_location(rows, kept, block, chord, asker, needed)


def _base(block: Block, asker: Asker) -> NDArray[np.float32]:
    """(n,) contributions of engagement, poster and recency."""
    profile = asker.profile
    static, recency, _ = block.base(profile)
    if block.newest <= asker.as_of:
        fading = np.exp2((block.newest - asker.as_of) / profile["half_life_seconds"])
        return static + np.float32(fading) * recency
    age = np.clip((asker.as_of - block.created_at) / profile["half_life_seconds"], 0, 600)
    return static + (profile["recency_weight"] * np.exp2(-age)).astype(np.float32)


def _add_tags(scores: NDArray[np.float32], block: Block, asker: Asker) -> None:
    """Jaccard index from the rows of each tag of the user that the block has."""
    tagged = block.tagged(asker.tag_nos)
    if not tagged:
        return
    # Each row as often as it has a tag of the user; sorting these few is quicker than counting
    # over all rows of the block.
    hits = np.concatenate(tagged)
    hits.sort()
    is_first = np.ones(len(hits) + 1, bool)
    np.not_equal(hits[1:], hits[:-1], out=is_first[1:-1])
    cuts = is_first.nonzero()[0]
    rows = hits[cuts[:-1]]
    matched = (cuts[1:] - cuts[:-1]).astype(np.float32)
    union = block.tag_counts[rows].astype(np.float32)
    union += np.float32(asker.tag_count)
    union -= matched
    matched /= union
    matched *= np.float32(asker.profile["tag_weight"])
    scores[rows] += matched


def _remove(
    scores: NDArray[np.float32], block: Block, asker: Asker, removed_rows: NDArray[np.int32]
) -> None:
    """Marks what is not eligible, but for its distance."""
    for rows in block.tagged(asker.blocked_tag_nos):
        scores[rows] = -np.inf
    if block.newest > asker.as_of:
        scores[block.created_at > asker.as_of] = -np.inf
    if block.first_expiry <= asker.as_of:
        scores[block.expired(asker.as_of)] = -np.inf
    if asker.poster_no:
        scores[block.poster_nos == asker.poster_no] = -np.inf
    if len(removed_rows):
        scores[removed_rows] = -np.inf


def _add_location(
    rows: NDArray[np.intp],
    scores: NDArray[np.float32],
    block: Block,
    chord: float,
    asker: Asker,
    needed: float,
) -> Scored:
    chords, squares = _chords(block, rows, asker)
    farthest = chord + 2 * block.radius + CHORD_ERROR
    uncertain = None
    if farthest > asker.limit_chord - CHORD_ERROR * 4:
        inside = (chords <= asker.limit_chord + CHORD_ERROR * 4).nonzero()[0]
        rows, scores = rows[inside], scores[inside]
        chords, squares = chords[inside], squares[inside]
        uncertain = chords > asker.limit_chord - CHORD_ERROR * 4
    if farthest < SHORT_CHORD:
        # 2 asin(c/2) = c (1 + c²/24 + 3c⁴/640 + …)
        arcs = squares * np.float32(3 / 640)
        arcs += np.float32(1 / 24)
        arcs *= squares
        arcs += np.float32(1)
        arcs *= chords
    else:
        arcs = 2 * np.arcsin(np.minimum(chords * np.float32(0.5), np.float32(1)))
    arcs *= np.float32(-EARTH_RADIUS_KM / asker.profile["decay_km"])
    np.maximum(arcs, np.float32(-80), out=arcs)
    np.exp(arcs, out=arcs)
    arcs *= np.float32(asker.profile["location_weight"])
    scores = scores + arcs
    found = (scores > needed).nonzero()[0]
    if uncertain is not None:
        uncertain = uncertain[found]
    return Scored(rows[found], scores[found], uncertain)


def _chords(
    block: Block, rows: NDArray[np.intp], asker: Asker
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(n,) chords from the user to rows of a block, and their squares."""
    is_most = len(rows) * 2 > block.size
    squares = None
    for values, own in zip((block.xs, block.ys, block.zs), asker.place, strict=True):
        step = (values if is_most else values[rows]) - np.float32(own)
        step *= step
        squares = step if squares is None else squares + step
    if is_most:
        squares = squares[rows]
    return np.sqrt(squares), squares
