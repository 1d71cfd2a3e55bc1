"""What the executors do, as functions on arrays; pgfeed.spark.stages hands them Spark's batches.

A block of users needs all pairs of the listings that its users chose, and of no others. So the
pairs go by listing first, where it is seen which blocks want a listing, and then to those blocks.
A block has all that its users' cosines are made of: its result is final.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pgfeed.similarity import Neighbors, nearest_users


@dataclass(frozen=True)
class Columns:
    """Whole columns of the matrix, one listing after the other.

    counts: (n_listings,) int32 pairs of each listing
    users: (n_pairs,) int32; values: (n_pairs,) float64; is_own: (n_pairs,) bool, of the block
    """

    counts: np.ndarray
    users: np.ndarray
    values: np.ndarray
    is_own: np.ndarray


@dataclass(frozen=True)
class Found:
    """The neighbors of a block's users (ascending), and what it took."""

    users: np.ndarray
    neighbors: Neighbors
    pairs: int
    products: int
    seconds: float


def columns_for_blocks(
    users: np.ndarray, listings: np.ndarray, blocks: np.ndarray, values: np.ndarray
) -> Iterator[tuple[int, Columns]]:
    """For each block whose users chose some of the listings, those listings whole.

    All (n_pairs,) and in any order; every pair of each listing must be among them.
    """
    # Users ascending within a listing, so that sums are made in the same order in every run.
    order = np.lexsort((users, listings))
    users, blocks, values = users[order], blocks[order], values[order]
    starts = np.flatnonzero(np.diff(listings[order], prepend=-1))
    counts = np.diff(np.append(starts, len(users)))
    listing_of = np.repeat(np.arange(len(starts)), counts)
    # Each block with each of its listings once, block after block.
    wanted = np.unique(blocks.astype(np.int64) * len(starts) + listing_of)
    edges = np.flatnonzero(np.diff(wanted // max(1, len(starts)), prepend=-1))
    for first, last in zip(edges, [*edges[1:], len(wanted)], strict=True):
        block = int(wanted[first] // len(starts))
        some = wanted[first:last] % len(starts)
        places = ranges(starts[some], counts[some])
        yield (
            block,
            Columns(
                counts[some].astype(np.int32),
                users[places],
                values[places],
                blocks[places] == block,
            ),
        )


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """starts[0], starts[0] + 1, … counts[0] of them, then those from starts[1], …"""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - counts), counts)


def neighbors_of_block(parts: list[Columns], count: int, products_per_step: int) -> Found:
    """The `count` most similar users of each own user; the parts have no listing in common."""
    from scipy import sparse

    began = time.thread_time()
    counts = np.concatenate([part.counts for part in parts])
    users, rows = np.unique(np.concatenate([part.users for part in parts]), return_inverse=True)
    columns = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    values = np.concatenate([part.values for part in parts])
    is_own = np.concatenate([part.is_own for part in parts])
    matrix = sparse.csr_matrix(
        (values, (rows.astype(np.int32), columns)), shape=(len(users), len(counts))
    )
    own = np.unique(rows[is_own])
    products = int(counts[columns[is_own]].sum(dtype=np.int64))
    del rows, columns, values, is_own
    # Rows ascend with users, so ties go as they do among all.
    found = nearest_users(matrix, count, wanted=own, products_per_step=products_per_step)
    return Found(
        users[own],
        Neighbors(found.starts, users[found.rows].astype(np.int32), found.similarities),
        matrix.nnz,
        products,
        time.thread_time() - began,
    )
