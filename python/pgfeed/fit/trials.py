"""What is chosen about a fit, by what it would have been worth: trials, judged forward in time.

The first trial is the profile as it is, not fitted: if no fit is better, nothing changes. Half of
the others are a ridge and, every second time, other parameters of decays; each is worth what fits
on earlier periods were worth for later ones, by NDCG@10 averaged over users. Other parameters are
taken only if they win by more than the interval: a half-life that suits one season can ruin the
next. The rest of the trials are weights drawn near the fitted ones, judged by NDCG@10 itself.

Where the order that was shown had its say in what was chosen, ranking well by that order is no
merit: there the worth is the likelihood with the effects of positions, and all trials are fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pgfeed.evaluation import metrics
from pgfeed.fit.decays import Decay, present, with_parameters
from pgfeed.fit.weights import (
    SMALLEST_SPREAD,
    Examples,
    Fitted,
    Tick,
    check,
    fit,
    forward_folds,
    likelihood,
    ndcg,
)

FOLDS = 3
RIDGES = (1e-5, 1.0)
FIRST_RIDGE = 1e-3
HELD = 1e6
"""A ridge that lets nothing but the scale move."""

NEAR = 60.0
"""Concentration of the draws near the best weights: about 0.05 to either side."""

DRAWN, BEST = 5, 2
"""How many are drawn around a centre, and of how many the next centre is the mean."""

SURE = 1.96
"""Standard errors of a mean that its 95 % interval has to either side."""


@dataclass(frozen=True)
class Learned:
    """What is to stand in a profile.

    weights: (components,) float64 of sum 1
    parameters: of the decays, by name
    ridge: None if the weights were not fitted
    value: what the setting was worth, forward in time; start_value: the profile as it is
    """

    weights: np.ndarray
    parameters: dict[str, float]
    ridge: float | None
    value: float
    start_value: float
    trials: int


@dataclass(frozen=True)
class _Setting:
    ridge: float | None
    parameters: dict[str, float]


def learn(
    examples: Examples,
    start: np.ndarray,
    decays: Sequence[Decay] = (),
    trials: int = 20,
    seed: int = 0,
    tick: Tick = lambda: None,
) -> Learned:
    """Weights, and parameters of decays, from all examples. Raises Unlearnable.

    start: (components,) weights of the profile that the examples were made with
    trials: how often anything is judged; seed: of what is drawn
    tick: called often, may raise to stop
    """
    check(examples, len(start))
    start = np.asarray(start, dtype=np.float64) / np.sum(start)
    rng = np.random.default_rng(seed)
    forward = _Forward(examples, start, decays, tick)
    has_order = examples.position is not None
    first = _Setting(None, present(decays))
    tried = [(first, forward.worth(first))]
    fits = trials - 1 if has_order else -(-(trials - 1) // 2)
    for number in range(fits):
        tried.append((setting := _drawn(decays, rng, number), forward.worth(setting)))
    setting, worth = _best(tried)
    weights = forward.fitted(setting, forward.groups).weights
    if not has_order and setting.ridge is not None:
        near = forward.decayed(setting.parameters)
        weights = _refined(near, forward.groups, weights, trials - 1 - fits, rng, tick)
    return Learned(
        weights,
        setting.parameters,
        setting.ridge,
        float(worth.mean()),
        float(tried[0][1].mean()),
        trials,
    )


class _Forward:
    """Judges settings by what they would have been worth later."""

    def __init__(
        self, examples: Examples, start: np.ndarray, decays: Sequence[Decay], tick: Tick
    ) -> None:
        self._examples = examples
        self._start = start
        self._decays = decays
        self._tick = tick
        self.groups = groups = np.flatnonzero(examples.usable())
        self._folds = [
            (groups[before], groups[after])
            for before, after in forward_folds(examples.period[groups], FOLDS)
            # One period has no later one.
        ] or [(groups, groups)]
        self._users = examples.user[np.concatenate([after for _, after in self._folds])]

    def decayed(self, parameters: dict[str, float]) -> Examples:
        """The examples with other parameters."""
        values = with_parameters(self._examples.values, self._decays, parameters)
        return replace(self._examples, values=values)

    def worth(self, setting: _Setting) -> np.ndarray:
        """(users,) mean of each user's later groups."""
        examples = self.decayed(setting.parameters)
        values = []
        for before, after in self._folds:
            fitted = self.fitted(setting, before, examples)
            values.append(
                ndcg(examples, after, fitted.weights)
                if examples.position is None
                else likelihood(examples, after, fitted)
            )
        return by_user(np.concatenate(values), self._users)

    def fitted(
        self, setting: _Setting, groups: np.ndarray, examples: Examples | None = None
    ) -> Fitted:
        """The weights that a setting gives from these groups."""
        examples = examples or self.decayed(setting.parameters)
        if setting.ridge is None and examples.position is None:
            return Fitted(self._start, 1.0)
        # The same rows are drawn in every trial: what differs is the setting.
        rng = np.random.default_rng(0)
        ridge = HELD if setting.ridge is None else setting.ridge
        fitted = fit(examples, groups, self._start, ridge, rng, self._tick)
        # Held, only the scale and the effects of positions are found.
        return replace(fitted, weights=self._start) if setting.ridge is None else fitted


def _drawn(decays: Sequence[Decay], rng: np.random.Generator, number: int) -> _Setting:
    ridge = float(np.exp(rng.uniform(*np.log(RIDGES))))
    drawn = {decay.name: decay.draw(rng) for decay in decays}
    return _Setting(ridge if number else FIRST_RIDGE, drawn if number % 2 else present(decays))


def _best(tried: Sequence[tuple[_Setting, np.ndarray]]) -> tuple[_Setting, np.ndarray]:
    """The best of those with the parameters as they are, unless another is surely better."""
    as_they_are = tried[0][0].parameters
    best, worth = max(
        (one for one in tried if one[0].parameters == as_they_are), key=lambda one: one[1].mean()
    )
    other, other_worth = max(tried, key=lambda one: one[1].mean())
    gain = other_worth - worth
    error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.inf
    return (other, other_worth) if gain.mean() > SURE * error else (best, worth)


def _refined(
    examples: Examples,
    groups: np.ndarray,
    weights: np.ndarray,
    trials: int,
    rng: np.random.Generator,
    tick: Tick,
) -> np.ndarray:
    """Weights near these that rank the same examples better, of so many drawn.

    The cross-entropy method (Rubinstein 1999): a few are drawn around the centre, and the mean of
    the best, the centre among them, is the next one. A mean of good ones is less a matter of luck
    than the best of them.
    """
    weighed = np.flatnonzero(np.ptp(examples.values, axis=0) > SMALLEST_SPREAD)

    def value_of(weights: np.ndarray) -> float:
        tick()
        return float(by_user(ndcg(examples, groups, weights), examples.user[groups]).mean())

    if len(weighed) < 2:
        return weights
    while trials > 0:
        drawn = np.zeros((min(DRAWN, trials), len(weights)))
        drawn[:, weighed] = rng.dirichlet(weights[weighed] * NEAR + 0.1, len(drawn))
        trials -= len(drawn)
        around = np.vstack([weights, drawn])
        values = np.array([value_of(one) for one in around])
        weights = around[np.argsort(-values, kind="stable")[:BEST]].mean(axis=0)
    return weights


def by_user(values: np.ndarray, user: np.ndarray) -> np.ndarray:
    """(users,) means of each user's groups, users ascending."""
    return metrics.by_user(values[:, np.newaxis], user)[:, 0]
