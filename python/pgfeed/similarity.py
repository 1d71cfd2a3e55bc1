"""Which users are alike: exact nearest neighbors by the cosine of what they did.

A user is a row of the sparse user x listing matrix `a = clip(strongest_weight / 10, 0, 1)`
(dismissed pairs are 0). The product of the matrix with its own transpose holds every
cosine; sparse_dot_topn keeps the greatest of each row without ever storing the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy import sparse

# Cosines that differ by less than this fraction are a tie, which user_no decides. It is
# far above the rounding error of float64 and far below what float32 can store.
TIE = 1e-9


@dataclass(frozen=True)
class Neighbors:
    """The neighbors of all users, packed row after row as in a CSR matrix.

    starts: (n_users + 1,) int64, where each user's neighbors begin
    rows: (n_neighbors,) int32, row of each neighbor, most similar first
    similarities: (n_neighbors,) float32, cosine in (0, 1]
    """

    starts: np.ndarray
    rows: np.ndarray
    similarities: np.ndarray

    def of(self, user: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and similarities of one user's neighbors."""
        part = slice(self.starts[user], self.starts[user + 1])
        return self.rows[part], self.similarities[part]

    def only(self, is_kept: np.ndarray) -> Neighbors:
        """Without the neighbors whose row is not kept: is_kept (n_users,) bool."""
        kept = is_kept[self.rows]
        ends = np.concatenate([[0], np.cumsum(kept)])
        return Neighbors(ends[self.starts], self.rows[kept], self.similarities[kept])


def interest_matrix(
    users: np.ndarray,
    listings: np.ndarray,
    interest: np.ndarray,
    shape: tuple[int, int],
    lengths: np.ndarray | None = None,
) -> sparse.csr_matrix:
    """Sparse (n_users, n_listings) float64 matrix with rows of unit length.

    users, listings: (n_pairs,) int32 row and column of each pair, each pair once
    interest: (n_pairs,) in [0, 1]; pairs with 0 are left out
    lengths: (n_users,) of the whole rows, where these columns are not all; else their own
    """
    from scipy import sparse

    if len(interest) and not (interest.min() >= 0 and interest.max() <= 1):
        raise ValueError("interest must lie between 0 and 1")
    kept = interest > 0
    matrix = sparse.csr_matrix(
        (interest[kept].astype(np.float64), (users[kept], listings[kept])), shape=shape
    )
    if lengths is None:
        row_of = np.repeat(np.arange(shape[0], dtype=np.int32), np.diff(matrix.indptr))
        lengths = row_lengths(row_of, matrix.data, shape[0])
    matrix.data /= np.repeat(lengths, np.diff(matrix.indptr))
    return matrix


def row_lengths(users: np.ndarray, interest: np.ndarray, n_users: int) -> np.ndarray:
    """(n_users,) float64: the Euclidean length of each user's row."""
    squares = interest.astype(np.float64)
    squares *= squares
    return np.sqrt(np.bincount(users, weights=squares, minlength=n_users))


def leave_out(
    matrix: sparse.csr_matrix,
    listing_user_limit: int | None,
    user_pair_minimum: int,
    pair_counts: np.ndarray | None = None,
) -> sparse.csr_matrix:
    """The matrix without the pairs that are too dear or say too little.

    listing_user_limit: columns with more pairs are left out; None for none
    user_pair_minimum: rows with fewer pairs are left out
    pair_counts: (n_users,) pairs of the whole rows, where these columns are not all

    Rows keep their lengths: what is left out is a part of the user's history that matches
    nobody, so a cosine can only be smaller than the true one.
    """
    if listing_user_limit is None and user_pair_minimum <= 1:
        return matrix
    counts = np.diff(matrix.indptr)
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int32), counts)
    kept = is_kept(
        rows,
        matrix.indices,
        counts if pair_counts is None else pair_counts,
        np.bincount(matrix.indices, minlength=matrix.shape[1]),
        listing_user_limit,
        user_pair_minimum,
    )
    if kept.all():
        return matrix

    from scipy import sparse

    rows = rows[kept]
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=matrix.shape[0]))])
    return sparse.csr_matrix(
        (matrix.data[kept], matrix.indices[kept], starts.astype(matrix.indptr.dtype)),
        shape=matrix.shape,
    )


def is_kept(
    users: np.ndarray,
    listings: np.ndarray,
    pair_counts: np.ndarray,
    user_counts: np.ndarray,
    listing_user_limit: int | None,
    user_pair_minimum: int,
) -> np.ndarray:
    """(n_pairs,) bool: which pairs are neither too dear nor say too little.

    pair_counts: (n_users,) pairs of each user; user_counts: (n_listings,) users of each listing
    """
    kept = np.ones(len(users), bool)
    if listing_user_limit is not None:
        kept &= user_counts[listings] <= listing_user_limit
    if user_pair_minimum > 1:
        kept &= pair_counts[users] >= user_pair_minimum
    return kept


def nearest_users(
    matrix: sparse.csr_matrix,
    count: int,
    *,
    wanted: np.ndarray | None = None,
    threads: int = 1,
    products_per_step: int = 10_000_000,
    tick: Callable[[], object] = lambda: None,
) -> Neighbors:
    """The `count` most similar other users of each user, ties to the smaller row.

    matrix: (n_users, n_listings) with rows of unit length, from interest_matrix
    wanted: (n,) ascending rows whose neighbors to find, the result's rows; None for all
    products_per_step: multiplications between two calls of `tick`, which may raise to
        stop; a single user with more is a step of their own

    Exact: every cosine above 0 competes. To decide ties in the kernel, whose own order is
    arbitrary, each candidate's row is shrunk by a share of TIE that grows with its number.
    """
    n_users = matrix.shape[0]
    by_listing = matrix.T.tocsr()
    tick()
    shrink = 1.0 - TIE * (np.arange(n_users) / max(n_users, 1))
    work = np.diff(by_listing.indptr)
    by_listing.data *= shrink[by_listing.indices]
    tick()

    users = np.arange(n_users) if wanted is None else wanted
    rows = matrix if wanted is None else matrix[wanted]
    parts = []
    for first, last in steps_of(rows, work, products_per_step):
        tick()
        step = slice(first, last)
        parts.append(_step(rows[step], users[step], by_listing, shrink, count, threads))
    tick()

    nobody = (np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
    counts, rows, similarities = (
        np.concatenate(column) for column in zip(nobody, *parts, strict=True)
    )
    return Neighbors(np.concatenate([[0], np.cumsum(counts)]), rows, similarities)


def steps_of(
    matrix: sparse.csr_matrix, work: np.ndarray, products_per_step: int
) -> list[tuple[int, int]]:
    """Ranges of rows whose products with all other rows are about products_per_step."""
    products = np.concatenate([[0], np.cumsum(work[matrix.indices])])
    products = np.diff(products[matrix.indptr])
    step_of = (np.cumsum(products) - products) // products_per_step
    edges = [0, *(np.flatnonzero(np.diff(step_of)) + 1).tolist(), matrix.shape[0]]
    return [(first, last) for first, last in pairwise(edges) if first < last]


def _step(
    rows: sparse.csr_matrix,
    row_users: np.ndarray,
    by_listing: sparse.csr_matrix,
    shrink: np.ndarray,
    count: int,
    threads: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts, neighbors and similarities of the rows, which are the row_users."""
    from sparse_dot_topn import sp_matmul_topn

    # One more than wanted, since each user is the nearest to themselves.
    best = sp_matmul_topn(rows, by_listing, count + 1, threshold=0.0, sort=True, n_threads=threads)
    lengths = np.diff(best.indptr)
    users = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    neighbors = best.indices[: len(users)].astype(np.int32, copy=False)
    is_self = neighbors == row_users.astype(np.int32)[users]
    kept = ~is_self
    is_full = lengths == count + 1
    is_full[users[is_self]] = False
    kept[best.indptr[1:][is_full] - 1] = False

    users, neighbors = users[kept], neighbors[kept]
    cosine = best.data[: len(kept)][kept] / shrink[neighbors]
    similarities = np.clip(cosine, np.finfo(np.float32).tiny, 1).astype(np.float32)
    _order(users, neighbors, similarities)
    return np.bincount(users, minlength=len(lengths)), neighbors, similarities


def _order(users: np.ndarray, neighbors: np.ndarray, similarities: np.ndarray) -> None:
    """Sorts in place: rounding to float32 makes new ties among what the kernel has sorted.

    Few users have one, and sorting all takes as long as the product.
    """
    is_wrong = (similarities[1:] > similarities[:-1]) | (
        (similarities[1:] == similarities[:-1]) & (neighbors[1:] < neighbors[:-1])
    )
    is_wrong &= users[1:] == users[:-1]
    some = np.flatnonzero(np.isin(users, users[1:][is_wrong]))
    order = some[np.lexsort((neighbors[some], -similarities[some], users[some]))]
    neighbors[some], similarities[some] = neighbors[order], similarities[order]
