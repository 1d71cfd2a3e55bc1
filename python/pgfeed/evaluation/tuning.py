"""Tuning with the same number of trials for every model, on the same validation period.

A trial is one setting, judged by NDCG@10 averaged over users. The first is the model's
defaults, the others are drawn at random (Bergstra and Bengio 2012). What pgfeed.fit tries of a
profile are as many trials.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgfeed.evaluation import metrics
from pgfeed.evaluation.baselines import Baseline

NDCG = metrics.METRICS.index("ndcg@10")


@dataclass(frozen=True)
class Tuned:
    """The best setting, what it was worth in the validation period, and of how many trials."""

    setting: Any
    value: float
    trials: int


def tune_baseline(
    baseline: Baseline, value_of: Callable[[dict[str, Any]], float], trials: int, seed: int
) -> Tuned:
    """Parameters; one that has none to tune gets one trial."""
    rng = np.random.default_rng(seed)
    trials = trials if baseline.space else 1
    best, best_value = baseline.defaults, value_of(baseline.defaults)
    for _ in range(1, trials):
        setting = baseline.draw(rng)
        value = value_of(setting)
        if value > best_value:
            best, best_value = setting, value
    return Tuned(best, best_value, trials)


def mean_ndcg(pair_values: np.ndarray, pair_users: np.ndarray) -> float:
    """What a trial is worth."""
    return float(np.nanmean(metrics.by_user(pair_values, pair_users)[:, NDCG]))
