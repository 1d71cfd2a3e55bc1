"""Ranks of positives, what they are worth, and how sure that is. Pure functions on arrays.

recall@20   share of the positives among the first 20
ndcg@10     discounted gain of the first 10 over that of the best possible order (Järvelin and
            Kekäläinen 2002, binary gain)
mrr         one over the rank of the first positive, 0 beyond 200: a feed has no more rows
cold_served of pairs whose user had no history: 1 where a positive is among the first 20
coverage    share of the listings that were somebody's candidate and came among anybody's first 20
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

METRICS = ("recall@20", "ndcg@10", "mrr", "cold_served")
COVERAGE = "coverage"
TOP = 20
GAIN_TOP = 10
DEEPEST = 200
RESAMPLES = 2_000
CONFIDENCE = 0.95

_DISCOUNTS = 1 / np.log2(np.arange(2, GAIN_TOP + 2))


def ranks(scores: np.ndarray, positives: np.ndarray, ties: np.ndarray | None = None) -> np.ndarray:
    """(p,) rank of each positive from 1, best score first.

    scores: (n,) of the candidates
    positives: (p,) positions in scores
    ties: (n,) distinct, the smaller comes first among equal scores; None: the position
    """
    ours = scores[positives][:, None]
    order = np.arange(len(scores)) if ties is None else ties
    before = (scores > ours) | ((scores == ours) & (order < order[positives][:, None]))
    return 1 + before.sum(axis=1)


def best(scores: np.ndarray, count: int, ties: np.ndarray | None = None) -> np.ndarray:
    """(at most count,) positions of the best, in order; ties as in ranks."""
    order = np.arange(len(scores)) if ties is None else ties
    return np.lexsort((order, -scores))[:count]


def gain(positive_ranks: np.ndarray) -> np.ndarray:
    """What each rank is worth: 1 at the first place, less further on, 0 beyond GAIN_TOP."""
    discounts = np.append(_DISCOUNTS, 0.0)
    return discounts[np.minimum(positive_ranks, GAIN_TOP + 1).astype(np.int64) - 1]


def values(positive_ranks: np.ndarray, is_cold: bool) -> tuple[float, float, float, float]:
    """One pair's METRICS; cold_served is NaN for a user with history."""
    count = len(positive_ranks)
    hits = int(np.sum(positive_ranks <= TOP))
    first = positive_ranks.min()
    return (
        hits / count,
        float(gain(positive_ranks).sum() / _DISCOUNTS[:count].sum()),
        1 / first if first <= DEEPEST else 0.0,
        float(hits > 0) if is_cold else float("nan"),
    )


def by_user(pair_values: np.ndarray, pair_users: np.ndarray) -> np.ndarray:
    """(users, metrics) means of each user's pairs, NaN where a user has none; users ascending.

    A user who comes at many cut-offs counts as much as one who comes once.
    """
    _, rows = np.unique(pair_users, return_inverse=True)
    is_there = np.isfinite(pair_values)
    shape = (rows.max() + 1, pair_values.shape[1])
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, rows, np.where(is_there, pair_values, 0))
    np.add.at(counts, rows, is_there)
    with np.errstate(invalid="ignore"):
        return sums / counts


def resamples(users: int, seed: int, count: int = RESAMPLES) -> np.ndarray:
    """(count, users) how often each user is in each resample: the same for every model."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(users, np.full(users, 1 / users), size=count).astype(np.float64)


@dataclass(frozen=True)
class Estimate:
    """A mean over users with its bootstrap interval; NaN where nobody counts."""

    value: float
    low: float
    high: float


def estimate(user_values: np.ndarray, weights: np.ndarray) -> Estimate:
    """Of one metric, or of a paired difference: (users,) and the resamples of those users."""
    is_there = np.isfinite(user_values)
    if not is_there.any():
        return Estimate(float("nan"), float("nan"), float("nan"))
    known = np.where(is_there, user_values, 0)
    with np.errstate(invalid="ignore"):
        means = weights @ known / (weights @ is_there)
    tail = (1 - CONFIDENCE) / 2 * 100
    low, high = np.nanpercentile(means, [tail, 100 - tail])
    return Estimate(float(user_values[is_there].mean()), float(low), float(high))


def coverage(shown: list[np.ndarray], listings: np.ndarray) -> float:
    """shown: each pair's first 20; listings: candidates of anybody, repeated as they come."""
    all_shown = np.unique(np.concatenate(shown)) if shown else np.zeros(0)
    return len(all_shown) / len(np.unique(listings))
