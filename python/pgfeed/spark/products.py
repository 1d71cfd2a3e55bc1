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
import pyarrow as pa

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
    users: np.ndarray,
    listings: np.ndarray,
    blocks: np.ndarray,
    values: np.ndarray,
    stride: int = 1,
) -> Iterator[tuple[int, Columns]]:
    """For each block whose users chose some of the listings, those listings whole.

    All (n_pairs,) and in any order; every pair of each listing must be among them, each once.
    stride: the difference between two listings is a multiple of it
    """
    from scipy import sparse

    # scipy's conversion sorts by counting: several times as fast as sorting by keys.
    rows = listings // stride
    shape = (int(rows.max()) + 1, int(users.max()) + 1)
    order = np.arange(len(users), dtype=np.int64)
    by_listing = sparse.csr_matrix((order, (rows, users)), shape=shape)
    order, users = by_listing.data, by_listing.indices
    blocks, values, starts = blocks[order], values[order], by_listing.indptr
    counts = np.diff(starts)
    # Each block with each of its listings once.
    listing_of = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    wanted = sparse.csr_matrix(
        (np.ones(len(blocks), np.int8), (blocks, listing_of)),
        shape=(int(blocks.max()) + 1, len(counts)),
    )
    for block in np.flatnonzero(np.diff(wanted.indptr)).tolist():
        some = wanted.indices[wanted.indptr[block] : wanted.indptr[block + 1]]
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
    users, rows = distinct(np.concatenate([part.users for part in parts]))
    columns = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    values = np.concatenate([part.values for part in parts])
    is_own = np.concatenate([part.is_own for part in parts])
    matrix = sparse.csr_matrix((values, (rows, columns)), shape=(len(users), len(counts)))
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


def distinct(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """np.unique with the inverse, by hashing instead of sorting."""
    encoded = pa.array(numbers).dictionary_encode()
    found = encoded.dictionary.to_numpy()
    order = np.argsort(found)
    places = np.empty(len(found), np.int32)
    places[order] = np.arange(len(found), dtype=np.int32)
    return found[order], places[encoded.indices.to_numpy()]
