"""Weights of the components, learned from what users chose: pure functions on arrays.

What a user chose should score above everything that stood beside it and was not chosen. With
d = x(chosen) − x(not chosen) the loss of a choice is ln(1 + Σ exp(−θ·d)) over what was not chosen,
θ ≥ 0: the pairwise logistic loss (Bradley and Terry 1952; RankNet, Burges 2005) with all pairs of
a choice in one sum, so that those at the top count most (conditional logit, McFadden 1974).
Weights that sum to 1 have no scale: w = θ / Σθ, and Σθ is the scale. The problem is convex, so
there is one answer. A ridge pulls θ towards the direction of the weights that it starts from,
whatever their scale: where there is little to learn, little changes.

Where a position decided what was looked at (impressions), it has an effect of its own on the
odds of being chosen, fitted along and left out of the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from scipy.optimize import minimize

from pgfeed.evaluation import metrics

DIGITS = 5
"""Of a weight in feed.ranking_profiles."""

POSITION_EDGES = (2, 3, 4, 6, 11, 21, 51)
"""Positions from one edge to the next have one effect: 1, 2, 3, 4-5, 6-10, 11-20, 21-50, 51-."""

NEGATIVES = 1_000
"""Of a group, at most so many that were not chosen enter a fit, drawn evenly."""

# What keeps the scale finite where chosen and not chosen can be told apart without fault.
SCALE_RIDGE = 1e-4
POSITION_RIDGE = 1e-3

SMALLEST_SPREAD = 1e-6
"""A component that varies less within a group tells nothing."""

Tick = Callable[[], None]


class Unlearnable(Exception):
    """Why nothing can be learned from these examples, in a sentence."""


@dataclass(frozen=True)
class Examples:
    """Groups: a user at a moment, what stood before them, and which of it they chose.

    starts: (groups + 1,) int64, where each group's rows begin
    values: (n, components) float32, in the order in which a feed breaks ties
    is_positive: (n,) bool: chosen
    user: (groups,) int, each user counts as much as any other
    period: (groups,) int, the later the greater
    position: (n,) int from 1, where a position may have decided what was looked at
    """

    starts: np.ndarray
    values: np.ndarray
    is_positive: np.ndarray
    user: np.ndarray
    period: np.ndarray
    position: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.user)

    def rows(self, group: int) -> slice:
        """Where a group's rows lie."""
        return slice(int(self.starts[group]), int(self.starts[group + 1]))

    def taken(self, groups: np.ndarray) -> Examples:
        """Some of the groups, as examples of their own."""
        rows, starts = rows_of(self.starts, groups)
        return Examples(
            starts,
            self.values[rows],
            self.is_positive[rows],
            self.user[groups],
            self.period[groups],
            None if self.position is None else self.position[rows],
        )

    def usable(self) -> np.ndarray:
        """(groups,) bool: something was chosen, and something was not."""
        totals = np.concatenate([[0], np.cumsum(self.is_positive, dtype=np.int64)])
        chosen = totals[self.starts[1:]] - totals[self.starts[:-1]]
        return (chosen > 0) & (chosen < np.diff(self.starts))


def rows_of(starts: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of some of the groups of a flat array, and where each begins among them.

    starts: (all groups + 1,) int64
    """
    counts = starts[groups + 1] - starts[groups]
    begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return np.repeat(starts[groups] - begins[:-1], counts) + np.arange(begins[-1]), begins


@dataclass(frozen=True)
class Fitted:
    """weights: (components,) float64, not negative, of sum 1; scale: what they were divided by.

    position_effects: on the log-odds of being chosen, by POSITION_EDGES, the first 0; None
        without positions
    """

    weights: np.ndarray
    scale: float
    position_effects: np.ndarray | None = None


def check(examples: Examples, components: int) -> None:
    """Raises Unlearnable, with the reason."""
    rows, count = len(examples.values), len(examples)
    if examples.values.ndim != 2 or examples.values.shape[1] != components:
        raise Unlearnable(f"examples have {examples.values.shape[-1]} components, not {components}")
    if len(examples.is_positive) != rows or examples.starts[-1] != rows:
        raise Unlearnable("examples have components, choices and groups of different lengths")
    if len(examples.starts) != count + 1 or len(examples.period) != count:
        raise Unlearnable("examples have groups, users and periods of different lengths")
    if examples.position is not None and len(examples.position) != rows:
        raise Unlearnable("examples have components and positions of different lengths")
    if not np.isfinite(examples.values).all():
        raise Unlearnable("a component is no finite number")
    if not examples.usable().any():
        raise Unlearnable("nobody chose one thing and left another: there is nothing to learn from")


def fit(
    examples: Examples,
    groups: np.ndarray,
    start: np.ndarray,
    ridge: float,
    rng: np.random.Generator,
    tick: Tick = lambda: None,
) -> Fitted:
    """Weights from some of the groups (positions of them).

    start: (components,) weights, not all 0; ridge: how much they are held on to
    tick: called often, may raise to stop
    """
    choices = _choices(examples, groups, rng, tick)
    spread = choices.spread()
    told = np.flatnonzero(spread > SMALLEST_SPREAD)
    if not len(told):
        return Fitted(start / start.sum(), 0.0)
    best = _least_loss(choices, told, spread[told], start[told], ridge, tick)
    theta = np.zeros(len(start))
    theta[told] = best[: len(told)] / spread[told]
    effects = best[len(told) :]
    effects = effects - effects[0] if len(effects) else None
    scale = float(theta.sum())
    if scale <= 0:
        # Everything speaks against what was chosen: no weights that are allowed help.
        return Fitted(start / start.sum(), 0.0, effects)
    return Fitted(theta / scale, scale, effects)


@dataclass(frozen=True)
class _Choices:
    """Everything chosen, and beside it what was not, group by group.

    chosen: (choices, components); group: (choices,) which group; worth: (choices,) of sum 1
    others: (rows, components); starts: (groups,) where each group's begin; counts: how many
    sampled: (groups,) ln of how many each of the others stands for
    chosen_bucket, other_bucket: of their positions, or None
    """

    chosen: np.ndarray
    group: np.ndarray
    worth: np.ndarray
    others: np.ndarray
    starts: np.ndarray
    counts: np.ndarray
    sampled: np.ndarray
    chosen_bucket: np.ndarray | None
    other_bucket: np.ndarray | None

    def spread(self) -> np.ndarray:
        """(components,) standard deviation within groups, of what was not and what was chosen."""
        mean = np.add.reduceat(self.others, self.starts, dtype=np.float64) / self.counts[:, None]
        inside = self.others - np.repeat(mean, self.counts, axis=0)
        beyond = self.chosen - mean[self.group]
        return np.sqrt(np.mean(np.square(inside), axis=0) + self.worth @ np.square(beyond))


def _choices(
    examples: Examples, groups: np.ndarray, rng: np.random.Generator, tick: Tick
) -> _Choices:
    shares = _group_worth(examples.user[groups])
    chosen_rows, other_rows, owners, worth, sampled = [], [], [], [], []
    for group, share in zip(groups.tolist(), shares.tolist(), strict=True):
        tick()
        rows = examples.rows(group)
        is_positive = examples.is_positive[rows]
        chosen, others = np.flatnonzero(is_positive), np.flatnonzero(~is_positive)
        if not len(chosen) or not len(others):
            continue
        sampled.append(max(np.log(len(others) / NEGATIVES), 0.0))
        if len(others) > NEGATIVES:
            others = np.sort(rng.choice(others, NEGATIVES, replace=False))
        owners.append(np.full(len(chosen), len(other_rows)))
        worth.append(np.full(len(chosen), share / len(chosen)))
        chosen_rows.append(chosen + rows.start)
        other_rows.append(others + rows.start)
    counts = np.array([len(rows) for rows in other_rows])
    chosen, others = np.concatenate(chosen_rows), np.concatenate(other_rows)
    weight = np.concatenate(worth)
    bucket = position_bucket(examples.position) if examples.position is not None else None
    return _Choices(
        examples.values[chosen].astype(np.float64),
        np.concatenate(owners),
        weight / weight.sum(),
        examples.values[others],
        np.cumsum(counts) - counts,
        counts,
        np.array(sampled),
        None if bucket is None else bucket[chosen],
        None if bucket is None else bucket[others],
    )


def _least_loss(
    choices: _Choices,
    told: np.ndarray,
    spread: np.ndarray,
    start: np.ndarray,
    ridge: float,
    tick: Tick,
) -> np.ndarray:
    """The convex problem: L-BFGS-B (Byrd and others 1995) with an exact gradient.

    Gives θ · spread of the components that tell something, then the effects of positions. In
    units of its own spread no component seems to need a large weight because it is small.
    """
    chosen = choices.chosen[:, told] / spread
    others = (choices.others[:, told] / spread).astype(np.float32)
    buckets = len(POSITION_EDGES) + 1 if choices.other_bucket is not None else 0
    direction = start * spread
    length = np.linalg.norm(direction)
    direction = direction / length if length else np.full(len(told), len(told) ** -0.5)

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        tick()
        theta, effects = point[: len(told)], point[len(told) :]
        odds, against = chosen @ theta, others @ theta.astype(np.float32)
        if buckets:
            odds = odds + effects[choices.chosen_bucket]
            against = against + effects[choices.other_bucket].astype(np.float32)
        most = np.maximum.reduceat(against, choices.starts)
        powers = np.exp(against - np.repeat(most, choices.counts))
        sums = np.add.reduceat(powers, choices.starts, dtype=np.float64)
        behind = (most + np.log(sums) + choices.sampled)[choices.group] - odds
        aside = theta - (theta @ direction) * direction
        value = (
            choices.worth @ np.logaddexp(0, behind)
            + ridge / 2 * (aside @ aside)
            + SCALE_RIDGE / 2 * (theta @ theta)
            + POSITION_RIDGE / 2 * (effects @ effects)
        )
        # How likely each was not to be chosen, and what instead.
        missed = choices.worth * np.exp(-np.logaddexp(0, -behind))
        by_group = np.bincount(choices.group, missed, minlength=len(sums)) / sums
        instead = powers * np.repeat(by_group.astype(np.float32), choices.counts)
        slope = np.concatenate([instead @ others - missed @ chosen, np.zeros(buckets)])
        slope[: len(told)] += ridge * aside + SCALE_RIDGE * theta
        if buckets:
            slope[len(told) :] = (
                np.bincount(choices.other_bucket, instead, minlength=buckets)
                - np.bincount(choices.chosen_bucket, missed, minlength=buckets)
                + POSITION_RIDGE * effects
            )
        return float(value), slope

    bounds = [(0, None)] * len(told) + [(None, None)] * buckets
    first = np.concatenate([direction, np.zeros(buckets)])
    return minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds).x


def _group_worth(user: np.ndarray) -> np.ndarray:
    """(groups,) of sum 1: each user as much as any other, each group of a user as well."""
    users, row, count = np.unique(user, return_inverse=True, return_counts=True)
    return 1 / (count[row] * len(users))


# --- what they are worth ----------------------------------------------------------------------


def ndcg(examples: Examples, groups: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(groups,) NDCG@10 of groups ranked by these weights; NaN where nothing is chosen."""
    found = np.full(len(groups), np.nan)
    narrow = weights.astype(np.float32)
    for place, group in enumerate(groups.tolist()):
        rows = examples.rows(group)
        chosen = np.flatnonzero(examples.is_positive[rows])
        if len(chosen):
            ranks = metrics.ranks(examples.values[rows] @ narrow, chosen)
            best = metrics.gain(np.arange(1, len(chosen) + 1)).sum()
            found[place] = metrics.gain(ranks).sum() / best
    return found


def likelihood(examples: Examples, groups: np.ndarray, fitted: Fitted) -> np.ndarray:
    """(groups,) mean log-probability of a choice against what was not chosen; NaN where none was.

    With the effects of positions: what remains to be told apart is not what the order decided.
    """
    theta = fitted.weights * fitted.scale
    found = np.full(len(groups), np.nan)
    for place, group in enumerate(groups.tolist()):
        rows = examples.rows(group)
        odds = examples.values[rows] @ theta
        if examples.position is not None and fitted.position_effects is not None:
            odds = odds + fitted.position_effects[position_bucket(examples.position[rows])]
        chosen, others = odds[examples.is_positive[rows]], odds[~examples.is_positive[rows]]
        if len(chosen) and len(others):
            found[place] = -np.logaddexp(0, np.logaddexp.reduce(others) - chosen).mean()
    return found


def position_bucket(position: np.ndarray) -> np.ndarray:
    """Which effect a position has."""
    return np.searchsorted(POSITION_EDGES, position, side="right")


def forward_folds(period: np.ndarray, folds: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions of (what is fitted on, what it is judged on): always the later ones are judged.

    Periods stay whole; none of them if there is only one.
    """
    periods, counts = np.unique(period, return_counts=True)
    folds = min(folds, len(periods) - 1)
    # The first of folds + 1 parts, about equal in groups, is never judged.
    part_of = np.minimum(
        (np.cumsum(counts) - counts / 2) * (folds + 1) // counts.sum(), folds
    ).astype(np.int64)
    if len(periods) > 1 and part_of[0] == part_of[-1]:
        part_of[-1] += 1
    part = part_of[np.searchsorted(periods, period)]
    return [
        (np.flatnonzero(part < fold), np.flatnonzero(part == fold))
        for fold in np.unique(part).tolist()[1:]
    ]


def rounded(weights: np.ndarray) -> list[Decimal]:
    """DIGITS digits, of sum exactly 1 (largest remainder)."""
    units = 10**DIGITS
    shares = np.asarray(weights, dtype=np.float64) / np.sum(weights) * units
    whole = np.floor(shares).astype(np.int64)
    order = np.argsort(whole - shares, kind="stable")
    whole[order[: units - int(whole.sum())]] += 1
    return [Decimal(int(one)).scaleb(-DIGITS) for one in whole]
