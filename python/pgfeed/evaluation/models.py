"""Every model as the same thing: ranks of the positives, and who is shown what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pgfeed.evaluation import metrics
from pgfeed.evaluation.asked import Asked
from pgfeed.evaluation.baselines import Baseline, random, tie_order
from pgfeed.evaluation.past import Past

PairScores = Callable[[int], np.ndarray]
"""A pair -> (n,) scores of its candidates."""


@dataclass(frozen=True)
class Judged:
    """A model in a period.

    values: (pairs, METRICS)
    shown: each pair's first 20, as positions in Data.listings
    """

    values: np.ndarray
    shown: list[np.ndarray]


def judge_feed(asked: Asked, pairs: np.ndarray) -> Judged:
    """What get_feed itself gave; beyond its last row a positive has no rank."""
    rows, shown = [], []
    for pair in pairs.tolist():
        feed = asked.feed_of(pair)
        wanted = asked.listing[asked.candidates(pair)][asked.positives(pair)]
        places = np.full(len(wanted), np.iinfo(np.int32).max)
        place, which = np.nonzero(feed[:, None] == wanted[None, :])
        places[which] = place + 1
        rows.append(metrics.values(places, bool(asked.is_cold[pair])))
        shown.append(feed[: metrics.TOP])
    return Judged(np.array(rows), shown)


def judge(
    asked: Asked,
    pairs: np.ndarray,
    scores_of: PairScores,
    ties_of: PairScores | None = None,
    is_shown: bool = True,
) -> Judged:
    """A model that scores candidates."""
    rows, shown = [], []
    for pair in pairs.tolist():
        scores = scores_of(pair)
        ties = ties_of(pair) if ties_of else None
        ranks = metrics.ranks(scores, asked.positives(pair), ties)
        rows.append(metrics.values(ranks, bool(asked.is_cold[pair])))
        if is_shown:
            top = metrics.best(scores, metrics.TOP, ties)
            shown.append(asked.listing[asked.candidates(pair)][top])
    return Judged(np.array(rows), shown)


def judge_weights(
    asked: Asked, pairs: np.ndarray, weights: np.ndarray, is_shown: bool = True
) -> Judged:
    """A linear combination of the components; ties as in the feed."""
    weights = weights.astype(np.float32)

    def scores_of(pair: int) -> np.ndarray:
        return asked.values[asked.candidates(pair)] @ weights

    return judge(asked, pairs, scores_of, is_shown=is_shown)


def judge_baseline(
    asked: Asked,
    pairs: np.ndarray,
    pasts: dict[int, Past],
    baseline: Baseline,
    parameters: dict[str, object],
    is_shown: bool = True,
) -> Judged:
    """A baseline, fitted anew at every cut-off."""
    judged = Judged(np.zeros((len(pairs), len(metrics.METRICS))), [np.zeros(0)] * len(pairs))
    for cutoff in np.unique(asked.cutoff[pairs]).tolist():
        past = pasts[cutoff]
        places = np.flatnonzero(asked.cutoff[pairs] == cutoff)
        users = asked.user[pairs[places]]
        scores = baseline.score(past, users, **parameters)
        ties = past.once("tie order", lambda past=past: tie_order(past))
        row_of = {int(pairs[place]): row for row, place in enumerate(places)}

        def scores_of(pair: int, scores: np.ndarray = scores, row_of: dict = row_of) -> np.ndarray:
            return scores[row_of[pair]][asked.listing[asked.candidates(pair)]]

        def ties_of(pair: int, ties: np.ndarray = ties) -> np.ndarray:
            return ties[asked.listing[asked.candidates(pair)]]

        part = judge(asked, pairs[places], scores_of, ties_of, is_shown)
        judged.values[places] = part.values
        for place, top in zip(places.tolist(), part.shown, strict=False):
            judged.shown[place] = top
    return judged


def judge_random(asked: Asked, pairs: np.ndarray, pasts: dict[int, Past], seed: int) -> Judged:
    """One draw of chance."""
    return judge_baseline(asked, pairs, pasts, Baseline("random", random, {}, {}), {"seed": seed})
