"""What get_feed is compared with: every one ranks the same candidates from the same facts.

A baseline is a function of the past, the users who ask and its parameters, and gives a score
for every listing; what it cannot tell apart is ordered by popularity. Its space names what
tuning draws; the first trial is always the defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from pgfeed.evaluation.past import Past, distance_km

Scores = np.ndarray
Draw = Callable[[np.random.Generator], Any]


def log_uniform(low: float, high: float, is_whole: bool = False) -> Draw:
    """Between two bounds, evenly in the logarithm."""

    def draw(rng: np.random.Generator) -> float:
        value = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        return round(value) if is_whole else value

    return draw


def uniform(low: float, high: float) -> Draw:
    """Between two bounds."""
    return lambda rng: float(rng.uniform(low, high))


@dataclass(frozen=True)
class Baseline:
    """score(past, users, **parameters) -> (len(users), listings); the greater the better."""

    name: str
    score: Callable[..., Scores]
    defaults: dict[str, Any]
    space: dict[str, Draw]

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """Parameters of one trial."""
        return {name: draw(rng) for name, draw in self.space.items()}


def random(past: Past, users: np.ndarray, seed: int) -> Scores:
    """Chance."""
    return np.random.default_rng([seed, past.at % 2**32]).random((len(users), past.shape[1]))


def popular(past: Past, users: np.ndarray, half_life: float = np.inf) -> Scores:
    """How many did how much with it, what is old counting less."""
    counts = np.bincount(
        past.listing,
        past.strength * 0.5 ** (past.age / half_life),
        minlength=past.shape[1],
    )
    return np.broadcast_to(counts, (len(users), past.shape[1]))


def soonest(past: Past, users: np.ndarray) -> Scores:
    """What expires next."""
    return np.broadcast_to(-past.expires_at.astype(np.float64), (len(users), past.shape[1]))


def nearest(past: Past, users: np.ndarray) -> Scores:
    """By distance; where a place is unknown, as far as the farthest."""
    scores = np.stack([-distance_km(past.place[user], past.listing_place) for user in users])
    return np.where(np.isnan(scores), -25_000.0, scores)


def tag_cosine(past: Past, users: np.ndarray, half_life: float, idf_power: float) -> Scores:
    """Cosine of a listing's tags and those of the user's past, rare tags counting more."""
    frequency = np.asarray(past.tags.sum(axis=0)).ravel()
    idf = np.log1p(past.shape[1] / np.maximum(frequency, 1)) ** idf_power
    tags = _unit_rows(past.tags @ sparse.diags(idf))
    profiles = _unit_rows(past.matrix(half_life)[users] @ tags)
    return (profiles @ tags.T).toarray()


def user_knn(
    past: Past, users: np.ndarray, neighbors: int, power: float, half_life: float
) -> Scores:
    """Σ sim^power · what the neighbor did, over the most similar users (cosine)."""
    unit = past.once("unit rows", lambda: _unit_rows(past.matrix()))
    similarity = (unit[users] @ unit.T).toarray()
    similarity[np.arange(len(users)), users] = 0
    similarity = _greatest(similarity, neighbors) ** power
    return (sparse.csr_matrix(similarity) @ past.matrix(half_life)).toarray()


def item_knn(
    past: Past, users: np.ndarray, neighbors: int, shrinkage: float, half_life: float
) -> Scores:
    """Σ over the user's listings of their similarity: cosine, shrunk where few users met both."""

    def together() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        matrix = past.matrix()
        met = np.unique(matrix[users].indices)
        norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel())
        products = (matrix[:, met].T @ matrix).toarray()
        return met, products.astype(np.float32), np.maximum(norms, 1e-12).astype(np.float32)

    # Only what one of these users has met has a say.
    met, products, norms = past.once(("item products", users.tobytes()), together)
    similarity = products / (norms[met][:, None] * norms[None, :] + np.float32(shrinkage))
    similarity[np.arange(len(met)), met] = 0
    similarity = _greatest(similarity, neighbors)
    return np.asarray(past.matrix(half_life)[users][:, met].astype(np.float32) @ similarity)


def ease(past: Past, users: np.ndarray, regularization: float, half_life: float) -> Scores:
    """EASE (Steck 2019): linear autoencoder with a zero diagonal, in closed form.

    B = I − P / diag(P), P = (XᵀX + λI)⁻¹. With X = U S Vᵀ, P = (I − V S²/(S²+λ) Vᵀ) / λ: one
    decomposition serves all λ, and it is of the smaller of the two Gram matrices.
    """
    squares, directions = past.once("spectrum", lambda: _spectrum(past.matrix()))
    shrunk = (squares / (squares + regularization)).astype(np.float32)
    diagonal = 1 - np.square(directions) @ shrunk
    history = past.matrix(half_life)[users].astype(np.float32).toarray()
    inverse = history - (history @ directions * shrunk) @ directions.T
    return history - inverse / np.maximum(diagonal, 1e-9)


def als(
    past: Past,
    users: np.ndarray,
    factors: int,
    regularization: float,
    alpha: float,
    half_life: float,
) -> Scores:
    """Implicit ALS (Hu, Koren, Volinsky 2008), of the package implicit."""
    from implicit.cpu.als import AlternatingLeastSquares

    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=factors,
            regularization=regularization,
            alpha=alpha,
            iterations=10,
            random_state=1,
            num_threads=1,
        )
        model.fit(past.matrix(half_life).astype(np.float32), show_progress=False)
        return model.user_factors[users] @ model.item_factors.T


HALF_LIFE = log_uniform(3, 1000)

BASELINES = (
    Baseline("popular", popular, {}, {}),
    Baseline("popular_recent", popular, {"half_life": 30.0}, {"half_life": log_uniform(0.5, 365)}),
    Baseline("soonest", soonest, {}, {}),
    Baseline("nearest", nearest, {}, {}),
    Baseline(
        "tag_cosine",
        tag_cosine,
        {"half_life": 180.0, "idf_power": 1.0},
        {"half_life": HALF_LIFE, "idf_power": uniform(0, 2)},
    ),
    Baseline(
        "user_knn",
        user_knn,
        {"neighbors": 50, "power": 1.0, "half_life": 90.0},
        {
            "neighbors": log_uniform(10, 1000, is_whole=True),
            "power": uniform(0.5, 2),
            "half_life": HALF_LIFE,
        },
    ),
    Baseline(
        "item_knn",
        item_knn,
        {"neighbors": 100, "shrinkage": 10.0, "half_life": 90.0},
        {
            "neighbors": log_uniform(10, 1000, is_whole=True),
            "shrinkage": log_uniform(0.1, 100),
            "half_life": HALF_LIFE,
        },
    ),
    Baseline(
        "ease",
        ease,
        {"regularization": 100.0, "half_life": 180.0},
        {"regularization": log_uniform(1, 5000), "half_life": HALF_LIFE},
    ),
    Baseline(
        "als",
        als,
        {"factors": 32, "regularization": 0.1, "alpha": 10.0, "half_life": 180.0},
        {
            "factors": log_uniform(8, 64, is_whole=True),
            "regularization": log_uniform(0.01, 100),
            "alpha": log_uniform(1, 100),
            "half_life": HALF_LIFE,
        },
    ),
)


def tie_order(past: Past) -> np.ndarray:
    """(listings,) place of each listing among equals: the most popular first, then the newest."""
    counts = np.bincount(past.listing, past.strength, minlength=past.shape[1])
    order = np.empty(past.shape[1], dtype=np.int64)
    order[np.lexsort((np.arange(past.shape[1]), -counts))] = np.arange(past.shape[1])
    return order


def _unit_rows(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags(1 / np.maximum(norms, 1e-12)) @ matrix)


def _greatest(matrix: np.ndarray, count: int) -> np.ndarray:
    """Each row's greatest `count` values; the others are 0."""
    if count >= matrix.shape[1]:
        return matrix
    limits = np.partition(matrix, -count, axis=1)[:, -count]
    return np.where(matrix >= limits[:, None], matrix, 0)


def _spectrum(matrix: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Squared singular values (r,) and right singular vectors (listings, r), float32."""
    used_rows = np.flatnonzero(np.diff(matrix.indptr))
    kept = matrix[used_rows]
    if not len(used_rows):
        return np.zeros(0, dtype=np.float32), np.zeros((matrix.shape[1], 0), dtype=np.float32)
    columns = np.unique(kept.indices)
    dense = kept[:, columns].toarray()
    if len(used_rows) <= len(columns):
        squares, left = np.linalg.eigh(dense @ dense.T)
        is_there = squares > squares.max() * 1e-10
        squares = squares[is_there]
        right = dense.T @ (left[:, is_there] / np.sqrt(squares))
    else:
        squares, right = np.linalg.eigh(dense.T @ dense)
        is_there = squares > squares.max() * 1e-10
        squares, right = squares[is_there], right[:, is_there]
    directions = np.zeros((matrix.shape[1], len(squares)), dtype=np.float32)
    directions[columns] = right
    return squares.astype(np.float32), directions
