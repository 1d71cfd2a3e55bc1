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


def interest_matrix(
    users: np.ndarray, listings: np.ndarray, interest: np.ndarray, shape: tuple[int, int]
) -> sparse.csr_matrix:
    """Sparse (n_users, n_listings) float64 matrix with rows of unit length.

    users, listings: (n_pairs,) int32 row and column of each pair, each pair once
    interest: (n_pairs,) in [0, 1]; pairs with 0 are left out
    """
    from scipy import sparse

    if len(interest) and not (interest.min() >= 0 and interest.max() <= 1):
        raise ValueError("interest must lie between 0 and 1")
    kept = interest > 0
    matrix = sparse.csr_matrix(
        (interest[kept].astype(np.float64), (users[kept], listings[kept])), shape=shape
    )
    row_of = np.repeat(np.arange(shape[0]), np.diff(matrix.indptr))
    lengths = np.sqrt(np.bincount(row_of, weights=matrix.data**2, minlength=shape[0]))
    matrix.data /= lengths[row_of]
    return matrix


def nearest_users(
    matrix: sparse.csr_matrix,
    count: int,
    *,
    threads: int = 1,
    products_per_step: int = 40_000_000,
    tick: Callable[[], object] = lambda: None,
) -> Neighbors:
    """The `count` most similar other users of each user, ties to the smaller row.

    matrix: (n_users, n_listings) with rows of unit length, from interest_matrix
    products_per_step: multiplications between two calls of `tick`, which may raise to
        stop; a single user with more is a step of their own

    Exact: every cosine above 0 competes. To decide ties in the kernel, whose own order is
    arbitrary, each candidate's row is shrunk by a share of TIE that grows with its number.
    """
    n_users = matrix.shape[0]
    by_listing = matrix.T.tocsr()
    shrink = 1.0 - TIE * (np.arange(n_users) / max(n_users, 1))
    work = np.diff(by_listing.indptr)
    by_listing.data *= shrink[by_listing.indices]
    tick()

    parts = []
    for first, last in steps_of(matrix, work, products_per_step):
        tick()
        parts.append(_step(matrix[first:last], first, by_listing, shrink, count, threads))
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
    row_of = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    products = np.bincount(row_of, weights=work[matrix.indices], minlength=matrix.shape[0])
    step_of = (np.cumsum(products) - products) // products_per_step
    edges = [0, *(np.flatnonzero(np.diff(step_of)) + 1).tolist(), matrix.shape[0]]
    return [(first, last) for first, last in pairwise(edges) if first < last]


def _step(
    rows: sparse.csr_matrix,
    first: int,
    by_listing: sparse.csr_matrix,
    shrink: np.ndarray,
    count: int,
    threads: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts, neighbors and similarities of the rows that begin at user `first`."""
    from sparse_dot_topn import sp_matmul_topn

    # One more than wanted, since each user is the nearest to themselves.
    best = sp_matmul_topn(rows, by_listing, count + 1, threshold=0.0, sort=True, n_threads=threads)
    n_rows = rows.shape[0]
    lengths = np.diff(best.indptr)
    users = np.repeat(np.arange(n_rows), lengths)
    place = np.arange(len(users)) - np.repeat(best.indptr[:-1], lengths)
    neighbors = best.indices[: len(users)]
    is_self = neighbors == users + first
    self_place = np.full(n_rows, count)
    self_place[users[is_self]] = place[is_self]
    kept = ~is_self & (place - (place > self_place[users]) < count)

    users, neighbors = users[kept], neighbors[kept].astype(np.int32)
    cosine = best.data[: len(kept)][kept] / shrink[neighbors]
    similarities = np.clip(cosine, np.finfo(np.float32).tiny, 1).astype(np.float32)
    # Rounding to float32 makes new ties: order what is stored by what is stored.
    order = np.lexsort((neighbors, -similarities, users))
    counts = np.bincount(users, minlength=n_rows)
    return counts, neighbors[order], similarities[order]
