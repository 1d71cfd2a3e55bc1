"""What goes to Spark: pairs with their part of the cosine, and which users are one block.

Everything here is made in pieces of the pairs, so that beside them it takes memory by the user
and by the listing only. numpy only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pgfeed.similarity import is_kept

# What the driver works through at once.
PAIRS_PER_PIECE = 1 << 25
# What a task sorts by listing: 200 MB.
PAIRS_PER_SHARE = 1 << 21
# Of each axis of the grid in which users are ordered: cells of 600 m.
PLACE_BITS = 16


@dataclass(frozen=True)
class Pairs:
    """Who chose what: one entry a pair with interest above 0 or not, each pair once.

    users, listings: (n_pairs,) int32 rows and columns of the user x listing matrix
    interest: (n_pairs,) float32 in [0, 1]
    latitudes, longitudes: (n_listings,) degrees, NaN where a listing has no place
    """

    users: np.ndarray
    listings: np.ndarray
    interest: np.ndarray
    latitudes: np.ndarray
    longitudes: np.ndarray
    n_users: int

    @property
    def n_listings(self) -> int:
        return len(self.latitudes)

    def chosen(self, pairs_per_piece: int = PAIRS_PER_PIECE) -> Iterator[tuple[np.ndarray, ...]]:
        """users, listings and interest of the pairs above 0, in pieces."""
        for first in range(0, len(self.users), pairs_per_piece):
            part = slice(first, first + pairs_per_piece)
            some = self.interest[part] > 0
            yield self.users[part][some], self.listings[part][some], self.interest[part][some]


@dataclass(frozen=True)
class SimilarityParameters:
    """Columns of ml.training_parameters."""

    neighbor_count: int
    listing_user_limit: int | None
    user_pair_minimum: int
    products_per_step: int


@dataclass(frozen=True)
class Plan:
    """How the product is divided.

    lengths: (n_users,) float64 of the whole rows, whatever is left out
    pair_counts: (n_users,), user_counts: (n_listings,), of all pairs above 0
    blocks: (n_users,) int32, the block in which each user's neighbors are found
    share_count: into how many shares the listings go; share s has those with listing % n = s
    products: multiplications of the whole
    """

    pairs: Pairs
    parameters: SimilarityParameters
    lengths: np.ndarray
    pair_counts: np.ndarray
    user_counts: np.ndarray
    blocks: np.ndarray
    block_count: int
    share_count: int
    products: int

    def pieces(self, pairs_per_piece: int) -> Iterator[tuple[np.ndarray, ...]]:
        """users, listings, blocks (int32) and values (float64) of the pairs that are kept."""
        for users, listings, interest in _kept(
            self.pairs, self.parameters, self.pair_counts, self.user_counts, pairs_per_piece
        ):
            values = interest.astype(np.float64) / self.lengths[users]
            yield users, listings, self.blocks[users], values


def make_plan(
    pairs: Pairs, parameters: SimilarityParameters, products_per_block: int, least_blocks: int
) -> Plan:
    """Users who choose near each other are in one block: they choose the same listings.

    A block has about products_per_block multiplications, or less so that there are least_blocks;
    a single user with more is a block of their own.
    """
    squares = np.zeros(pairs.n_users)
    pair_counts = np.zeros(pairs.n_users, np.int64)
    user_counts = np.zeros(pairs.n_listings, np.int64)
    for users, listings, interest in pairs.chosen():
        squares += np.bincount(
            users, weights=interest.astype(np.float64) ** 2, minlength=pairs.n_users
        )
        pair_counts += np.bincount(users, minlength=pairs.n_users)
        user_counts += np.bincount(listings, minlength=pairs.n_listings)
    kept_counts = np.zeros(pairs.n_listings, np.int64)
    for _, listings, _ in _kept(pairs, parameters, pair_counts, user_counts):
        kept_counts += np.bincount(listings, minlength=pairs.n_listings)
    work = np.zeros(pairs.n_users, np.int64)
    for users, listings, _ in _kept(pairs, parameters, pair_counts, user_counts):
        # Exact below 2^53.
        work += np.bincount(users, weights=kept_counts[listings], minlength=pairs.n_users).astype(
            np.int64
        )
    products = int(work.sum())
    limit = max(1, min(products_per_block, -(-products // max(1, least_blocks))))
    blocks, block_count = divide(work, order_by_place(pairs), limit)
    return Plan(
        pairs,
        parameters,
        np.sqrt(squares),
        pair_counts,
        user_counts,
        blocks,
        block_count,
        max(1, least_blocks, -(-int(kept_counts.sum()) // PAIRS_PER_SHARE)),
        products,
    )


def _kept(
    pairs: Pairs,
    parameters: SimilarityParameters,
    pair_counts: np.ndarray,
    user_counts: np.ndarray,
    pairs_per_piece: int = PAIRS_PER_PIECE,
) -> Iterator[tuple[np.ndarray, ...]]:
    for users, listings, interest in pairs.chosen(pairs_per_piece):
        kept = is_kept(
            users,
            listings,
            pair_counts,
            user_counts,
            parameters.listing_user_limit,
            parameters.user_pair_minimum,
        )
        yield users[kept], listings[kept], interest[kept]


def order_by_place(pairs: Pairs) -> np.ndarray:
    """(n_users,) users along a Z-order curve of where their listings are; the placeless last."""
    has_place = np.isfinite(pairs.latitudes) & np.isfinite(pairs.longitudes)
    counts = np.zeros(pairs.n_users)
    latitudes, longitudes = np.zeros(pairs.n_users), np.zeros(pairs.n_users)
    for users, listings, _ in pairs.chosen():
        placed = has_place[listings]
        users, listings = users[placed], listings[placed]
        counts += np.bincount(users, minlength=pairs.n_users)
        for sums, degrees in (latitudes, pairs.latitudes), (longitudes, pairs.longitudes):
            sums += np.bincount(users, weights=degrees[listings], minlength=pairs.n_users)
    known = counts > 0
    keys = np.full(pairs.n_users, np.iinfo(np.uint64).max, np.uint64)
    keys[known] = _interleaved(
        _cells(latitudes[known] / counts[known], 90), _cells(longitudes[known] / counts[known], 180)
    )
    return np.argsort(keys, kind="stable")


def _cells(degrees: np.ndarray, greatest: float) -> np.ndarray:
    share = (degrees + greatest) / (2 * greatest)
    return np.clip(share * 2**PLACE_BITS, 0, 2**PLACE_BITS - 1).astype(np.uint64)


def _interleaved(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    keys = np.zeros(len(first), np.uint64)
    for bit in range(PLACE_BITS):
        for place, cells in (2 * bit + 1, first), (2 * bit, second):
            keys |= (cells >> np.uint64(bit) & np.uint64(1)) << np.uint64(place)
    return keys


def divide(work: np.ndarray, order: np.ndarray, limit: int) -> tuple[np.ndarray, int]:
    """(n_users,) int32 block of each user, and how many blocks: runs of `order` of about `limit`.

    A user without work is in the block of whoever is before them.
    """
    ordered = work[order]
    begins = (np.cumsum(ordered) - ordered) // limit
    numbers = np.cumsum(np.diff(begins, prepend=begins[:1]) > 0)
    blocks = np.empty(len(work), np.int32)
    blocks[order] = numbers
    return blocks, int(numbers[-1]) + 1 if len(numbers) else 0
