"""Which listings go together: what users who chose one chose besides.

RP3beta (Paudel, Christoffel, Newell and Bernstein 2016): a random walk of three steps from a
user over a listing and another user to a listing, with a penalty for what is popular. Between
two listings it is

    s(h, l) = Σ_u [u chose h] · a(u, l) / Σ_k a(u, k)  /  (n_h^(1 − β) · n_l^β)

with a the interest, n the number of users who chose a listing, β the popularity power: with
0 the probability of coming from h to l by way of a user. A user who chose everything says
little of each, which cosine and EASE do not know (docs/decisions/0020).

Two listings that fewer than `user_minimum` users chose together are not similar: what only one
person connects would tell of that person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pgfeed.similarity import Neighbors, steps_of

if TYPE_CHECKING:
    from scipy import sparse

# A similarity of 1 is what the nearest neighbor of a listing has that is better off than this
# share of the listings: the greatest of all is a freak of two users with two listings.
UNIT_QUANTILE = 0.9
# Listings that this is estimated on.
UNIT_SAMPLE = 5_000

# A product of this many multiplications gives almost as many pairs, of 12 bytes.
PRODUCTS_AT_ONCE = 10_000_000

# float64 holds integers up to 2^53 exactly.
EXACT_BITS = 53


@dataclass(frozen=True)
class ItemParameters:
    """Columns of ml.training_parameters.

    listing_neighbor_count: neighbors of a listing, at most
    listing_neighbor_user_minimum: users who must have chosen both
    listing_popularity_power: β, in [0, 1]
    listing_history_limit: the latest choices of a user that count
    """

    listing_neighbor_count: int
    listing_neighbor_user_minimum: int
    listing_popularity_power: float
    listing_history_limit: int


def latest_choices(users: np.ndarray, ages: np.ndarray, limit: int) -> np.ndarray:
    """(k,) positions of each user's `limit` latest pairs, ties to the earlier position.

    users: (n,) int32; ages: (n,), the smaller the later

    Bounds the work, which grows with the square of what a user chose.
    """
    counts = np.bincount(users) if len(users) else np.zeros(0, np.int64)
    is_busy = counts[users] > limit
    busy = np.flatnonzero(is_busy)
    order = busy[np.lexsort((busy, ages[busy], users[busy]))]
    return np.sort(np.concatenate([np.flatnonzero(~is_busy), _firsts(order, users, limit)]))


class ItemSimilarity:
    """The similarities of listings, computed in steps to bound memory."""

    def __init__(
        self,
        users: np.ndarray,
        listings: np.ndarray,
        interest: np.ndarray,
        is_target: np.ndarray,
        parameters: ItemParameters,
        *,
        n_users: int,
        threads: int = 1,
        products_per_step: int = PRODUCTS_AT_ONCE,
        seed: int = 0,
        tick: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepares the product, and finds what becomes 1.

        users, listings: (n_pairs,) int32, each pair once
        interest: (n_pairs,) in [0, 1]; pairs with 0 were not chosen
        is_target: (n_listings,) bool, what may be a neighbor
        products_per_step: multiplications between two calls of `tick`, which may raise to stop
        """
        self._parameters = parameters
        self._threads = threads
        self._products_per_step = min(products_per_step, PRODUCTS_AT_ONCE)
        self._tick = tick
        n_listings = len(is_target)
        is_chosen = interest > 0
        users, listings = users[is_chosen], listings[is_chosen]
        interest = interest[is_chosen].astype(np.float64)
        sums = np.bincount(users, weights=interest, minlength=n_users)
        self._user_counts = np.bincount(listings, minlength=n_listings)
        tick()

        # A listing that too few users chose has no pair that enough chose.
        is_useful = self._user_counts >= parameters.listing_neighbor_user_minimum
        kept = is_useful[listings]
        users, listings = users[kept], listings[kept]
        shares = interest[kept] / sums[users]
        self._sources = _csr(np.ones(len(users)), listings, users, (n_listings, n_users))
        tick()
        # One product gives two sums: its whole part in units of `_person` is how many users
        # chose both, the rest is Σ a/Σa < that number. Shares are rounded to what makes every
        # sum exact, so that equals are equal.
        bits = int(self._user_counts.max(initial=1)).bit_length() + 1
        self._person = float(2**bits)
        grain = 2.0 ** max(EXACT_BITS - 2 * bits, 1)
        shares = np.maximum(np.rint(shares * grain), 1) / grain
        kept = is_target[listings]
        self._targets = _csr(
            shares[kept] + self._person, users[kept], listings[kept], (n_users, n_listings)
        )
        tick()
        self._source_norms = np.maximum(self._user_counts, 1.0) ** (
            parameters.listing_popularity_power - 1
        )
        self._target_norms = np.maximum(self._user_counts, 1.0) ** (
            -parameters.listing_popularity_power
        )
        self.unit = self._unit(seed)

    def steps(self, rows_at_once: int = 1) -> Iterator[tuple[np.ndarray, Neighbors]]:
        """Listings that have neighbors, ascending, and those.

        rows_at_once: as many listings, about, come together

        A similarity is s(h, l) over `unit`, at most 1. Ties of s go to the smaller position.
        """
        parts: list[tuple[np.ndarray, ...]] = []
        for first, last in self._ranges(self._sources):
            listings = np.arange(first, last)
            counts, neighbors, similarities = self._nearest(self._sources[first:last], listings)
            similarities = np.clip(similarities / self.unit, np.finfo(np.float32).tiny, 1)
            has_any = counts > 0
            parts.append(
                (listings[has_any], counts[has_any], neighbors, similarities.astype(np.float32))
            )
            if sum(len(part[0]) for part in parts) >= rows_at_once:
                yield _together(parts)
                parts = []
        if parts:
            yield _together(parts)

    def _unit(self, seed: int) -> float:
        """What becomes 1."""
        candidates = np.flatnonzero(np.diff(self._sources.indptr))
        rng = np.random.default_rng(seed)
        if len(candidates) > UNIT_SAMPLE:
            candidates = np.sort(rng.choice(candidates, UNIT_SAMPLE, replace=False))
        rows = self._sources[candidates]
        greatest = []
        for first, last in self._ranges(rows):
            counts, _, similarities = self._nearest(rows[first:last], candidates[first:last])
            starts = np.cumsum(counts) - counts
            greatest.append(similarities[starts[counts > 0]])
        found = np.concatenate(greatest) if greatest else np.zeros(0)
        return float(np.quantile(found, UNIT_QUANTILE)) if len(found) else 1.0

    def _ranges(self, rows: sparse.csr_matrix) -> list[tuple[int, int]]:
        work = np.diff(self._targets.indptr)
        return steps_of(rows, work, self._products_per_step)

    def _nearest(
        self, rows: sparse.csr_matrix, listings: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Counts, neighbors and s(h, l) of rows of _sources, each row's greatest first."""
        from sparse_dot_topn import sp_matmul

        self._tick()
        product = sp_matmul(rows, self._targets, n_threads=self._threads)
        minimum = self._person * self._parameters.listing_neighbor_user_minimum
        places = np.flatnonzero(product.data >= minimum)
        row_of = (np.searchsorted(product.indptr, places, side="right") - 1).astype(np.int32)
        neighbors = product.indices[places].astype(np.int32)
        values = product.data[places]
        # As the remainder, and several times as fast.
        values -= np.floor(values / self._person) * self._person
        del product
        self._tick()
        sources = listings[row_of]
        kept = neighbors != sources
        row_of, neighbors, sources = row_of[kept], neighbors[kept], sources[kept]
        similarities = values[kept] * self._source_norms[sources] * self._target_norms[neighbors]
        count = self._parameters.listing_neighbor_count
        kept = _is_among_greatest(row_of, similarities, count)
        row_of, neighbors, similarities = row_of[kept], neighbors[kept], similarities[kept]
        order = np.lexsort((neighbors, -similarities, row_of))
        order = _firsts(order, row_of, count)
        counts = np.bincount(row_of[order], minlength=len(listings))
        return counts, neighbors[order], similarities[order]


def _firsts(order: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """The first `count` of each row in an order that goes row by row."""
    ordered = rows[order]
    return order[np.arange(len(order)) - np.searchsorted(ordered, ordered) < count]


def _is_among_greatest(rows: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """(n,) bool: is a value among the `count` greatest of its row, or as great in float32?

    rows: (n,) ascending; values: (n,) above 0

    Sorting one integer each is ten times as fast as ordering by three columns, which is left
    for what remains. The bits of a positive float are an integer of the same order.
    """
    bits = np.float32(values).view(np.uint32).astype(np.uint64)
    keys = (rows.astype(np.uint64) << np.uint64(32)) | (np.uint64(2**32 - 1) - bits)
    starts = np.searchsorted(rows, rows)
    ends = np.searchsorted(rows, rows, side="right")
    return keys <= np.sort(keys)[np.minimum(starts + count, ends) - 1]


def _together(parts: list[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, Neighbors]:
    listings, counts, neighbors, similarities = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    starts = np.concatenate([[0], np.cumsum(counts)])
    return listings, Neighbors(starts, neighbors, similarities)


def _csr(
    data: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]
) -> sparse.csr_matrix:
    from scipy import sparse

    return sparse.csr_matrix((data, (rows, columns)), shape=shape)
