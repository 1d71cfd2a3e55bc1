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
    p.content_weight::double precision, p.poster_affinity_weight::double precision,
    p.item_similarity_weight::double precision,
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
AFFINITIES = """
select
    coalesce(string_agg(int4send(u.user_no), ''), '') as numbers,
    coalesce(string_agg(float8send(a.score), ''), '') as scores,
    coalesce(string_agg(int4send(a.choice_count), ''), '') as counts
from feed.poster_affinities($1, $2, $3) as a
inner join feed.users as u on a.poster_uid = u.user_uid
"""
SIMILARITIES = """
select
    coalesce(string_agg(int4send(i.listing_no), ''), '') as numbers,
    coalesce(string_agg(float8send(i.score), ''), '') as scores,
    coalesce(string_agg(int4send(i.choice_count), ''), '') as counts
from feed.item_similarities($1, $2, $3) as i
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
class Component:
    """A component that few listings have, those of a user's or their neighbors' choices.

    numbers: (n,) listing_nos or poster_nos, ascending
    scores: (n,) in [0, 1]
    counts: (n,) how many choices speak for it
    """

    numbers: NDArray[np.int32]
    scores: NDArray[np.float64]
    counts: NDArray[np.int32]

    def of(self, numbers: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Scores and counts of these listings or posters, 0 for what nobody chose."""
        scores, counts = np.zeros(len(numbers)), np.zeros(len(numbers), np.int32)
        if len(self.numbers):
            place = np.searchsorted(self.numbers, numbers)
            place[place == len(self.numbers)] = 0
            hit = np.flatnonzero(self.numbers[place] == numbers)
            scores[hit] = self.scores[place[hit]]
            counts[hit] = self.counts[place[hit]]
        return scores, counts


@dataclass
class Chosen:
    """What the choices of a user and of their neighbors say.

    neighbors: the collaborative component, by listing
    posters: poster_affinity, by poster; None where the profile does not weigh it
    similar: item_similarity, by listing; None where the profile does not weigh it
    """

    neighbors: Component
    posters: Component | None
    similar: Component | None


@dataclass
class Lift:
    """What is added to the scores of single listings, beyond what blocks and tags say.

    listing_nos, values: (n,) weighted contributions of choices by listing, ascending
    poster_nos, poster_values: (m,) weighted contributions of poster_affinity, ascending
    changed_nos, changed_scores: (k,) poster_score of posters who changed since the blocks
        were written
    """

    listing_nos: NDArray[np.int32]
    values: NDArray[np.float32]
    poster_nos: NDArray[np.int32]
    poster_values: NDArray[np.float32]
    changed_nos: NDArray[np.int32]
    changed_scores: NDArray[np.float32]

    def affine(self, block: Block) -> list[tuple[float, NDArray[np.uint16]]]:
        """The rows of each poster whom the user chose before, and what it adds to them."""
        if not len(self.poster_nos):
            return []
        found = block.posted(self.poster_nos)
        return [(float(self.poster_values[index]), rows) for index, rows in found]


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

    Returns listing_nos with what is known of each: the columns of feed.best_listings.
    """
    asker = _read_asker(database, user_uid, profile_name, as_of)
    chosen = _read_chosen(database, asker, user_uid, profile_name, as_of)
    listing_nos, scores, certain = search(
        database, cache, asker, chosen, (profile_name, as_of), wanted, exclude
    )
    contents = np.zeros(len(listing_nos))
    if asker.vector is not None:
        listing_nos, contents = _narrow(
            database, cache, asker, wanted, listing_nos, scores, certain
        )
    collaborative_scores, neighbor_counts = _listed(chosen.neighbors, listing_nos)
    poster_nos = listing_nos if chosen.posters is None else cache.poster_nos(listing_nos)
    poster_affinity_scores, poster_choice_counts = _listed(chosen.posters, poster_nos)
    item_similarity_scores, similar_choice_counts = _listed(chosen.similar, listing_nos)
    return {
        "listing_nos": listing_nos.tolist(),
        "collaborative_scores": collaborative_scores,
        "neighbor_counts": neighbor_counts,
        "content_scores": contents.tolist(),
        "poster_affinity_scores": poster_affinity_scores,
        "poster_choice_counts": poster_choice_counts,
        "item_similarity_scores": item_similarity_scores,
        "similar_choice_counts": similar_choice_counts,
    }


def _listed(
    component: Component | None, numbers: NDArray[np.int32]
) -> tuple[list[float] | None, list[int] | None]:
    """Scores and counts of these listings or posters; None of a component that is not weighed."""
    if component is None:
        return None, None
    scores, counts = component.of(numbers)
    return scores.tolist(), counts.tolist()


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
    cache.refresh(database)
    changes = cache.changes(database)
    lift = _lift(asker, chosen, changes)
    best = Best(wanted)
    # The cut and the listing may both be off; what content adds is not known yet.
    slack = 2 * asker.score_error
    if asker.vector is not None:
        slack += asker.profile["content_weight"]
    _score_changes(changes, asker, best, slack, removed, lift)
    _score_blocks(database, cache, changes, asker, best, slack, removed, lift)
    return best.candidates(slack)


def _read_chosen(
    database: Database, asker: Asker, user_uid: str, profile_name: str, as_of: str
) -> Chosen:
    """Nothing is read for poster_affinity and item_similarity where they weigh nothing."""
    moment = [user_uid, profile_name, as_of]
    is_affine = asker.profile["poster_affinity_weight"] > 0
    is_similar = asker.profile["item_similarity_weight"] > 0
    return Chosen(
        _read_neighbors(database, moment),
        _read_component(database, AFFINITIES, moment) if is_affine else None,
        _read_component(database, SIMILARITIES, moment) if is_similar else None,
    )


def _read_neighbors(database: Database, moment: list[str]) -> Component:
    """The sums of feed.collaborative_scores; grouping here is quicker than there."""
    read = database.rows(CHOICES, ["uuid", "text", "timestamptz"], moment)[0]
    contributions = np.frombuffer(read["contributions"], ">f8").astype(np.float64)
    return _summed(_ints(read["listing_nos"]), contributions)


def _summed(numbers: NDArray[np.int32], values: NDArray[np.float64]) -> Component:
    """(n,) values summed by number, and how many of each are above 0."""
    order = np.argsort(numbers, kind="stable")
    numbers, values = numbers[order], values[order]
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    if not len(starts):
        return Component(numbers, values, numbers)
    return Component(
        numbers[starts],
        np.add.reduceat(values, starts),
        np.add.reduceat((values > 0).astype(np.int32), starts),
    )


def _read_component(database: Database, query: str, moment: list[str]) -> Component:
    read = database.rows(query, ["uuid", "text", "timestamptz"], moment)[0]
    numbers = _ints(read["numbers"])
    order = np.argsort(numbers)
    scores = np.frombuffer(read["scores"], ">f8").astype(np.float64)
    return Component(numbers[order], scores[order], _ints(read["counts"])[order])


def _lift(asker: Asker, chosen: Chosen, changes: Changes) -> Lift:
    """What choices add in this profile, and what posters gained or lost."""
    profile = asker.profile
    by_listing = Component(
        chosen.neighbors.numbers,
        profile["collaborative_weight"] * chosen.neighbors.scores,
        chosen.neighbors.counts,
    )
    if chosen.similar is not None:
        by_listing = _summed(
            np.concatenate([by_listing.numbers, chosen.similar.numbers]),
            np.concatenate(
                [by_listing.scores, profile["item_similarity_weight"] * chosen.similar.scores]
            ),
        )
    poster_nos, poster_values = np.empty(0, np.int32), np.empty(0)
    if chosen.posters is not None:
        poster_nos = chosen.posters.numbers
        poster_values = profile["poster_affinity_weight"] * chosen.posters.scores
    return Lift(
        by_listing.numbers,
        by_listing.scores.astype(np.float32),
        poster_nos,
        poster_values.astype(np.float32),
        np.fromiter(changes.poster_scores, np.int32),
        np.fromiter(changes.poster_scores.values(), np.float32),
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
    lift: Lift,
) -> None:
    for block in changes.blocks:
        chord = nearest_chord(block, asker)
        if chord > asker.limit_chord + CHORD_ERROR * 4:
            continue
        gone = np.flatnonzero(np.isin(block.listing_nos, removed)).astype(np.int32)
        order = np.flatnonzero(np.isin(lift.listing_nos, block.listing_nos))
        rows = np.searchsorted(block.listing_nos, lift.listing_nos[order]).astype(np.int32)
        gain = _poster_gain(block, asker, lift, lift.affine(block))
        needed = best.threshold - slack
        best.offer(block, score(block, chord, asker, needed, gone, rows, lift.values[order], gain))


def _score_blocks(
    database: Database,
    cache: Cache,
    changes: Changes,
    asker: Asker,
    best: Best,
    slack: float,
    removed: NDArray[np.int32],
    lift: Lift,
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
    chosen = cache.locate(lift.listing_nos)
    none = (np.empty(0, np.int32), np.empty(0, np.intp))
    mending = asker.profile["poster_weight"] if len(lift.changed_nos) else 0.0
    limited = []
    for block_no, chord in reach:
        affine = lift.affine(cache.blocks[block_no])
        limit = score_limit(cache.blocks[block_no], chord, asker) + mending
        limit += max((value for value, _ in affine), default=0.0)
        if block_no in chosen:
            limit += float(lift.values[chosen[block_no][1]].max())
        limited.append((limit, block_no, chord, affine))
    limited.sort(key=lambda row: row[:2], reverse=True)
    cache.scored, cache.skipped = 0, len(cache.geometries)
    for limit, block_no, chord, affine in limited:
        if limit < best.threshold:
            break
        cache.scored, cache.skipped = cache.scored + 1, cache.skipped - 1
        block = cache.blocks[block_no]
        rows, indices = chosen.get(block_no, none)
        removed_rows = gone.get(block_no, none)[0]
        gain = _poster_gain(block, asker, lift, affine)
        needed = best.threshold - slack
        best.offer(
            block,
            score(block, chord, asker, needed, removed_rows, rows, lift.values[indices], gain),
        )


def _poster_gain(
    block: Block, asker: Asker, lift: Lift, affine: list[tuple[float, NDArray[np.uint16]]]
) -> NDArray[np.float32] | None:
    """(n,) what posters add that is not in the block; None for nothing.

    What they gained or lost since it was written, and affine: Lift.affine of the block.
    """
    changed = block.posted(lift.changed_nos) if len(lift.changed_nos) else []
    if not changed and not affine:
        return None
    gain = np.zeros(block.size, np.float32)
    for index, rows in changed:
        gain[rows] = lift.changed_scores[index] - block.poster_scores[rows]
    gain *= np.float32(asker.profile["poster_weight"])
    for value, rows in affine:
        gain[rows] += np.float32(value)
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
