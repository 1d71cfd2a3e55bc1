"""Tuning with the same number of trials for every model, on the same validation period.

A trial is one setting, judged by NDCG@10 averaged over users. The first is the model's
defaults. Baselines draw at random (Bergstra and Bengio 2012). Weights draw from the simplex,
then near the best so far; each of those draws is a trial too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgfeed.evaluation import metrics
from pgfeed.evaluation.baselines import Baseline

NDCG = metrics.METRICS.index("ndcg@10")
NEAR = 60.0
"""Concentration of the draws near the best weights: about 0.05 to either side."""


@dataclass(frozen=True)
class Tuned:
    """The best setting, what it was worth in the validation period, and of how many trials."""

    setting: Any
    value: float
    trials: int


def search(
    first: Any,
    draw: Callable[[np.random.Generator, int, Any], Any],
    value_of: Callable[[Any], float],
    trials: int,
    seed: int,
) -> Tuned:
    """`trials` settings, the first one given, the others drawn with the number and the best."""
    rng = np.random.default_rng(seed)
    best, best_value = first, value_of(first)
    for number in range(1, trials):
        setting = draw(rng, number, best)
        value = value_of(setting)
        if value > best_value:
            best, best_value = setting, value
    return Tuned(best, best_value, trials)


def tune_baseline(
    baseline: Baseline, value_of: Callable[[dict[str, Any]], float], trials: int, seed: int
) -> Tuned:
    """Parameters; one that has none to tune gets one trial."""
    if not baseline.space:
        return Tuned(baseline.defaults, value_of(baseline.defaults), 1)
    return search(
        baseline.defaults, lambda rng, number, best: baseline.draw(rng), value_of, trials, seed
    )


def tune_weights(
    default: np.ndarray, value_of: Callable[[np.ndarray], float], trials: int, seed: int
) -> Tuned:
    """Weights, not negative, of sum 1."""

    def draw(rng: np.random.Generator, number: int, best: np.ndarray) -> np.ndarray:
        # Half of the trials look around, the others look closer.
        if number <= trials // 2:
            return rng.dirichlet(np.ones(len(default)))
        return rng.dirichlet(best * NEAR + 0.1)

    return search(default, draw, value_of, trials, seed)


def mean_ndcg(pair_values: np.ndarray, pair_users: np.ndarray) -> float:
    """What a trial is worth."""
    return float(np.nanmean(metrics.by_user(pair_values, pair_users)[:, NDCG]))
