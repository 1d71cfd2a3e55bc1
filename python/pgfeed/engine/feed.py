"""The best listings of a user: feed.best_listings.

Exact: every listing that can be among the best, given what float32 and the content
component leave open, is handed on to be scored again in float8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgfeed.engine.blocks import Block
from pgfeed.engine.cache import Cache, Changes, Database
from pgfeed.engine.kernel import (
    CHORD_ERROR,
    Asker,
    Scored,
    nearest_chord,
    score,
    score_limit,
)
from pgfeed.engine.vectors import decode

ASKER = """
select
    coalesce(u.user_no, 0) as user_no,
    case
        when exists (select from feed.posters as o where o.poster_uid = u.user_uid) then u.user_no
        else 0
    end as poster_no,
    ext.st_y(u.location::ext.geometry) as lat,
    ext.st_x(u.location::ext.geometry) as lon,
    u.max_distance,
    cardinality(u.tags) as tag_count,
    array_send(u.feature_vector) as feature_vector,
    (select c.model_id from ml.current_model as c) as model_id,
    coalesce((
        select string_agg(int4send(t.tag_no), '' order by t.tag_no)
        from feed.tag_numbers as t where t.tag = any(u.tags)
    ), '') as tag_nos,
    coalesce((
        select string_agg(int4send(t.tag_no), '' order by t.tag_no)
        from feed.tag_numbers as t where t.tag = any(u.blocked_tags)
    ), '') as blocked_tag_nos,
    p.location_weight::double precision, p.tag_weight::double precision,
    p.engagement_weight::double precision, p.recency_weight::double precision,
    p.poster_weight::double precision, p.collaborative_weight::double precision,
    p.content_weight::double precision,
    p.location_decay_km as decay_km, p.unknown_location_score,
    extract(epoch from p.recency_half_life)::double precision as half_life_seconds,
    extract(epoch from $3)::double precision as as_of
from feed.ranking_profiles as p
cross join lateral feed.user_context($1, p.inferred_tag_count) as u
where p.profile_name = $2
"""
REMOVED = """
select coalesce(string_agg(int4send(s.listing_no), ''), '') as listing_nos
from feed.user_listing_states as s
cross join feed.ranking_profiles as p
where
    s.user_no = $1
    and p.profile_name = $2
    and (
        s.applied_at is not null
        or s.is_dismissed
        or s.last_at > $3 - p.seen_window and s.last_at <= $3
    )
"""
EXCLUDED = """
select coalesce(string_agg(int4send(l.listing_no), ''), '') as listing_nos
from feed.listings as l where l.listing_id = any($1)
"""
CHOICES = """
select
    coalesce(string_agg(int4send(c.listing_no), ''), '') as listing_nos,
    coalesce(string_agg(float8send(c.contribution), ''), '') as contributions
from feed.neighbor_choices($1, $2, $3) as c
"""
# Vectors read at first; then twice as many each time. The threshold rises with each step, but a
# step has its cost.
CONTENT_STEP = 100


class Best:
    """The highest scores seen so far, and every listing that may still be among them."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.top = np.empty(0, np.float32)
        # What the wanted-th best reaches at least; -inf while there are fewer.
        self.threshold = -np.inf
        self.found: list[tuple[NDArray[np.int32], NDArray[np.float32], Any]] = []

    def offer(self, block: Block, scored: Scored) -> None:
        """Takes the listings of a block that may be among the best."""
        if not len(scored.rows):
            return
        certain = scored.uncertain is None or ~scored.uncertain
        kept = scored.scores
        self.found.append((block.listing_nos[scored.rows], kept, certain))
        if scored.uncertain is not None:
            kept = kept[certain]
        top = np.concatenate([self.top, kept[kept > self.threshold]])
        if len(top) > self.wanted:
            top = np.partition(top, len(top) - self.wanted)[-self.wanted :]
        if len(top) == self.wanted:
            self.threshold = float(top.min())
        self.top = top

    def candidates(
        self, slack: float
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.bool_]]:
        """(n,) listing_nos, scores and certainty of what may be among the best, best first."""
        if not self.found:
            return np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, bool)
        listing_nos = np.concatenate([nos for nos, _, _ in self.found])
        scores = np.concatenate([values for _, values, _ in self.found])
        certain = np.concatenate([np.broadcast_to(sure, len(nos)) for nos, _, sure in self.found])
        kept = np.flatnonzero(scores > max(self.threshold - slack, -1e30))
        order = kept[np.argsort(-scores[kept], kind="stable")]
        return listing_nos[order], scores[order], certain[order]


@dataclass
class Chosen:
    """What neighbors chose: (n,) listing_nos ascending, scores in [0, 1], how many neighbors."""

    listing_nos: NDArray[np.int32]
    scores: NDArray[np.float64]
    neighbor_counts: NDArray[np.int32]

    def of(self, listing_nos: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Scores and counts of these listings, 0 for those that no neighbor chose."""
        scores, counts = np.zeros(len(listing_nos)), np.zeros(len(listing_nos), np.int32)
        if len(self.listing_nos):
            place = np.searchsorted(self.listing_nos, listing_nos)
            place[place == len(self.listing_nos)] = 0
            hit = np.flatnonzero(self.listing_nos[place] == listing_nos)
            scores[hit] = self.scores[place[hit]]
            counts[hit] = self.neighbor_counts[place[hit]]
        return scores, counts


def best_listings(
    database: Database,
    cache: Cache,
    user_uid: str,
    profile_name: str,
    as_of: str,
    wanted: int,
    exclude: list[str],
) -> dict[str, list[Any]]:
    """Every listing that may be among the wanted best of a user.

    Returns listing_nos with the collaborative score, the number of neighbors and the content
    score of each.
    """
    asker = _read_asker(database, user_uid, profile_name, as_of)
    chosen = _read_chosen(database, user_uid, profile_name, as_of)
    listing_nos, scores, certain = search(
        database, cache, asker, chosen, (profile_name, as_of), wanted, exclude
    )
    contents = np.zeros(len(listing_nos))
    if asker.vector is not None:
        listing_nos, contents = _narrow(
            database, cache, asker, wanted, listing_nos, scores, certain
        )
    collaborative_scores, neighbor_counts = chosen.of(listing_nos)
    return {
        "listing_nos": listing_nos.tolist(),
        "collaborative_scores": collaborative_scores.tolist(),
        "neighbor_counts": neighbor_counts.tolist(),
        "content_scores": contents.tolist(),
    }


def search(
    database: Database,
    cache: Cache,
    asker: Asker,
    chosen: Chosen,
    moment: tuple[str, str],
    wanted: int,
    exclude: list[str],
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.bool_]]:
    """What may be among the best, best first.

    Returns (n,) listing_nos, their scores without content, and whether float32 is sure that
    they are eligible.

    moment: the profile's name and as_of
    """
    removed = _read_removed(database, asker, moment, exclude)
    contributions = (asker.profile["collaborative_weight"] * chosen.scores).astype(np.float32)
    asker.collaborative_limit = float(contributions.max(initial=0))
    cache.refresh(database)
    changes = cache.changes(database)
    best = Best(wanted)
    # The cut and the listing may both be off; what content adds is not known yet.
    slack = 2 * asker.score_error
    if asker.vector is not None:
        slack += asker.profile["content_weight"]
    _score_changes(changes, asker, best, slack, removed, chosen.listing_nos, contributions)
    _score_blocks(
        database, cache, changes, asker, best, slack, removed, chosen.listing_nos, contributions
    )
    return best.candidates(slack)


def _read_chosen(database: Database, user_uid: str, profile_name: str, as_of: str) -> Chosen:
    """The sums of feed.collaborative_scores; grouping here is quicker than there."""
    read = database.rows(CHOICES, ["uuid", "text", "timestamptz"], [user_uid, profile_name, as_of])
    choices = _ints(read[0]["listing_nos"])
    contributions = np.frombuffer(read[0]["contributions"], ">f8").astype(np.float64)
    order = np.argsort(choices, kind="stable")
    choices, contributions = choices[order], contributions[order]
    starts = np.flatnonzero(np.diff(choices, prepend=-1))
    if not len(starts):
        return Chosen(choices, contributions, choices)
    return Chosen(
        choices[starts],
        np.add.reduceat(contributions, starts),
        np.add.reduceat((contributions > 0).astype(np.int32), starts),
    )


def _read_removed(
    database: Database, asker: Asker, moment: tuple[str, str], exclude: list[str]
) -> NDArray[np.int32]:
    """Listings that the user's history or the request takes out of the feed."""
    read = database.rows(REMOVED, ["int4", "text", "timestamptz"], [asker.user_no, *moment])[0]
    removed = _ints(read["listing_nos"])
    if exclude:
        read = database.rows(EXCLUDED, ["uuid[]"], [exclude])[0]
        removed = np.concatenate([removed, _ints(read["listing_nos"])])
    return removed


def _read_asker(database: Database, user_uid: str, profile_name: str, as_of: str) -> Asker:
    row = database.rows(ASKER, ["uuid", "text", "timestamptz"], [user_uid, profile_name, as_of])[0]
    place = None
    if row["lat"] is not None:
        lat, lon = np.radians([row["lat"], row["lon"]])
        place = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    vector = None
    if row["feature_vector"] is not None:
        vector = decode(row["feature_vector"], 1)[0].astype(np.float64)
    return Asker(
        user_no=row["user_no"],
        poster_no=row["poster_no"],
        place=place,
        max_distance=row["max_distance"],
        tag_nos=_ints(row["tag_nos"]),
        tag_count=row["tag_count"],
        blocked_tag_nos=_ints(row["blocked_tag_nos"]),
        vector=vector,
        model_id=row["model_id"],
        profile=row,
        as_of=row["as_of"],
    )


def _score_changes(
    changes: Changes,
    asker: Asker,
    best: Best,
    slack: float,
    removed: NDArray[np.int32],
    chosen_nos: NDArray[np.int32],
    contributions: NDArray[np.float32],
) -> None:
    for block in changes.blocks:
        chord = nearest_chord(block, asker)
        if chord > asker.limit_chord + CHORD_ERROR * 4:
            continue
        gone = np.flatnonzero(np.isin(block.listing_nos, removed)).astype(np.int32)
        order = np.flatnonzero(np.isin(chosen_nos, block.listing_nos))
        rows = np.searchsorted(block.listing_nos, chosen_nos[order]).astype(np.int32)
        gain = _poster_gain(block, asker, changes.poster_scores)
        needed = best.threshold - slack
        best.offer(
            block, score(block, chord, asker, needed, gone, rows, contributions[order], gain)
        )


def _score_blocks(
    database: Database,
    cache: Cache,
    changes: Changes,
    asker: Asker,
    best: Best,
    slack: float,
    removed: NDArray[np.int32],
    chosen_nos: NDArray[np.int32],
    contributions: NDArray[np.float32],
) -> None:
    """The blocks in reach, nearest first; those that cannot reach the best are skipped."""
    if asker.place is None:
        block_nos = cache.near.tolist()
        chords = np.zeros(len(block_nos))
    else:
        gaps = np.linalg.norm(cache.near_centers - asker.place, axis=1) - cache.near_radii
        chords = np.maximum(gaps - CHORD_ERROR, 0)
        order = np.argsort(chords, kind="stable")
        order = order[chords[order] <= asker.limit_chord + CHORD_ERROR * 4]
        block_nos, chords = cache.near[order].tolist(), chords[order]
    reach = list(zip(block_nos, chords.tolist(), strict=True))
    reach += [(block_no, 0.0) for block_no in cache.remote]
    cache.load(database, [block_no for block_no, _ in reach])

    gone = cache.locate(np.concatenate([removed, changes.listing_nos]))
    chosen = cache.locate(chosen_nos)
    none = (np.empty(0, np.int32), np.empty(0, np.intp))
    mending = asker.profile["poster_weight"] if changes.poster_scores else 0.0
    limited = sorted(
        (
            (score_limit(cache.blocks[block_no], chord, asker) + mending, block_no, chord)
            for block_no, chord in reach
        ),
        reverse=True,
    )
    cache.scored, cache.skipped = 0, len(cache.geometries)
    for limit, block_no, chord in limited:
        if limit < best.threshold:
            break
        cache.scored, cache.skipped = cache.scored + 1, cache.skipped - 1
        block = cache.blocks[block_no]
        rows, indices = chosen.get(block_no, none)
        removed_rows = gone.get(block_no, none)[0]
        gain = _poster_gain(block, asker, changes.poster_scores)
        needed = best.threshold - slack
        best.offer(
            block,
            score(block, chord, asker, needed, removed_rows, rows, contributions[indices], gain),
        )


def _poster_gain(
    block: Block, asker: Asker, poster_scores: dict[int, float]
) -> NDArray[np.float32] | None:
    """(n,) what posters gained or lost since the block was written; None for nothing."""
    changed = [poster_no for poster_no in poster_scores if block.has_poster(poster_no)]
    if not changed:
        return None
    gain = np.zeros(block.size, np.float32)
    for poster_no in changed:
        rows = (block.poster_nos == poster_no).nonzero()[0]
        gain[rows] = poster_scores[poster_no] - block.poster_scores[rows]
    gain *= np.float32(asker.profile["poster_weight"])
    return gain


def _narrow(
    database: Database,
    cache: Cache,
    asker: Asker,
    wanted: int,
    listing_nos: NDArray[np.int32],
    scores: NDArray[np.float32],
    certain: NDArray[np.bool_],
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Drops candidates that their content cannot lift among the best.

    Reads vectors of the best candidates first, and stops where not even a perfect one helps.
    listing_nos, scores, certain: (n,) best first, scores without content

    Returns the listing_nos that remain, and their content components.
    """
    weight = asker.profile["content_weight"]
    contents = np.empty(0)
    threshold = -np.inf
    size = max(wanted, CONTENT_STEP)
    while len(contents) < len(listing_nos):
        start = len(contents)
        # All that a perfect content could lift above the threshold, not too many at once.
        hopeful = int(np.searchsorted(-scores, -(threshold - weight - asker.score_error)))
        end = min(hopeful, start + size)
        if end <= start:
            break
        size *= 2
        step = _contents(database, cache, asker, listing_nos[start:end])
        contents = np.concatenate([contents, step])
        totals = scores[:end] + weight * contents
        top = totals[certain[:end]]
        if len(top) >= wanted:
            threshold = np.partition(top, len(top) - wanted)[len(top) - wanted]
    totals = scores[: len(contents)] + weight * contents
    kept = totals > threshold - 2 * asker.score_error
    return listing_nos[: len(contents)][kept], contents[kept]


def _contents(
    database: Database, cache: Cache, asker: Asker, listing_nos: NDArray[np.int32]
) -> NDArray[np.float64]:
    """(n,) content components of listings, 0 for those without a vector."""
    vectors = cache.vectors.read(
        database,
        asker.model_id,
        len(asker.vector),
        listing_nos,
        cache.unsettled(listing_nos),
    ).astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(asker.vector)
    return np.clip(vectors @ asker.vector / np.where(lengths > 0, lengths, 1), 0, 1)


def _ints(data: bytes) -> NDArray[np.int32]:
    return np.frombuffer(data, ">i4").astype(np.int32)
