"""What users like, from the decayed weights of what they did with listings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pgfeed.listing_facts import ListingFacts
from pgfeed.projection import unit_rows

if TYPE_CHECKING:
    from scipy import sparse

# tag_preference keeps this many decimals; a weight of a view is below it after 20 half-lives.
DECIMALS = 6


@dataclass(frozen=True)
class Preferences:
    """n users of a range of rows.

    feature_vectors: (n, dimensions) float32 of unit length, NaN throughout if zero
    tag_preferences: n JSON objects {tag: weight}
    compensation: (n,) float64, NaN if unknown
    """

    feature_vectors: np.ndarray
    tag_preferences: list[str]
    compensation: np.ndarray


def decay(age_seconds: np.ndarray, half_life_seconds: float) -> np.ndarray:
    """0.5 ** (age / half-life), ages below 0 counted as 0."""
    return np.exp2(-np.maximum(age_seconds, 0) / half_life_seconds)


def preferences(
    weights: sparse.csr_matrix,
    facts: ListingFacts,
    listing_vectors: np.ndarray,
    *,
    tag_limit: int,
    rows_per_step: int,
    tick: Callable[[], object] = lambda: None,
) -> Iterator[tuple[int, Preferences]]:
    """Yields (first row, preferences of the rows from there), rows_per_step at most.

    weights: (n_users, n_listings) float32, decayed, dismissals negative
    listing_vectors: (n_listings, dimensions) float32, NaN rows for listings without one
    tag_limit: tags kept a user, of the strongest liked and of the strongest disliked each
    tick: called before the first part, which may raise to stop
    """
    vectors = np.nan_to_num(listing_vectors, nan=0.0)
    tick()
    bears = _bears(facts)
    tick()
    quoted = [json.dumps(tag, ensure_ascii=False) for tag in sorted(facts.tags)]
    for first in range(0, weights.shape[0], rows_per_step):
        part = weights[first : first + rows_per_step]
        yield (
            first,
            Preferences(
                unit_rows((part @ vectors).astype(np.float64), nothing=np.nan).astype(np.float32),
                _tag_preferences(part.astype(np.float64) @ bears, quoted, tag_limit),
                _compensation(part.astype(np.float64).maximum(0), facts),
            ),
        )


def _bears(facts: ListingFacts) -> sparse.csr_matrix:
    """(n_listings, n_tags) float64: 1 where the listing bears the tag; tags in order."""
    from scipy import sparse

    column_of = {tag: column for column, tag in enumerate(sorted(facts.tags))}
    columns = np.array([column_of[tag] for tag in facts.tags], dtype="i4")
    starts = np.concatenate([[0], np.cumsum(facts.tag_counts)])
    return sparse.csr_matrix(
        (np.ones(len(facts.tag_codes)), columns[facts.tag_codes], starts),
        shape=(len(facts), len(facts.tags)),
    )


def _tag_preferences(weights: sparse.csr_matrix, quoted: list[str], tag_limit: int) -> list[str]:
    """JSON objects of the rows of (n, n_tags) weights, strongest first, ties by tag."""
    users = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    values = weights.data.round(DECIMALS)
    order = np.lexsort((weights.indices, -np.abs(values), values < 0, users))
    order = order[values[order] != 0]
    users, values, tags = users[order], values[order], weights.indices[order]

    # The place of each tag among the liked or disliked ones of its user.
    side = users * 2 + (values < 0)
    begins = np.flatnonzero(np.diff(side, prepend=-1))
    place = np.arange(len(side)) - np.repeat(begins, np.diff(begins, append=len(side)))
    kept = place < tag_limit
    users, values, tags = users[kept], values[kept], tags[kept]

    members = [
        f"{quoted[tag]}:{value!r}"
        for tag, value in zip(tags.tolist(), values.tolist(), strict=True)
    ]
    ends = np.cumsum(np.bincount(users, minlength=weights.shape[0])).tolist()
    return ["{" + ",".join(members[begin:end]) + "}" for begin, end in pairwise([0, *ends])]


def _compensation(likes: sparse.csr_matrix, facts: ListingFacts) -> np.ndarray:
    """(n,): mean pay of the liked listings, in the currency with the most weight."""
    best_weight = np.zeros(likes.shape[0])
    mean = np.full(likes.shape[0], np.nan)
    known = np.isfinite(facts.compensation)
    for code in sorted(range(len(facts.currencies)), key=facts.currencies.__getitem__):
        counts = known & (facts.currency_codes == code)
        if not counts.any():
            continue
        weight = likes @ counts.astype(np.float64)
        pay = likes @ np.where(counts, facts.compensation, 0)
        better = weight > best_weight
        mean[better] = pay[better] / weight[better]
        best_weight[better] = weight[better]
    return mean
