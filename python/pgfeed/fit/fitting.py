"""One profile from a replay: learned in the validation period, judged in the test period."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pgfeed.components import COMPONENTS
from pgfeed.evaluation import metrics, models
from pgfeed.evaluation.asked import Asked
from pgfeed.evaluation.cutoffs import Cutoff
from pgfeed.evaluation.data import Data, instant
from pgfeed.evaluation.metrics import METRICS, Estimate
from pgfeed.fit import replay
from pgfeed.fit.decays import present
from pgfeed.fit.profile import Profile, averaged, of
from pgfeed.fit.trials import Learned, learn
from pgfeed.fit.weights import Unlearnable
from pgfeed.progress import Stages

JUDGE = METRICS.index("ndcg@10")
RESAMPLING_SEED = 1


@dataclass(frozen=True)
class Found:
    """A profile, how it did beside default, and whether it won.

    default, learned, difference: an Estimate for each of METRICS, in the test period
    """

    profile: Profile
    start: Profile
    evaluation: dict[str, Any]
    is_offered: bool
    default: list[Estimate]
    learned: list[Estimate]
    difference: list[Estimate]


def fit_profile(
    data: Data,
    cutoffs: Sequence[Cutoff],
    asked: Asked,
    trials: int,
    seeds: int,
    stages: Stages,
) -> Found:
    """Learns and judges. Raises Unlearnable."""
    validation, test = (willing(asked, asked.pairs(is_test), data) for is_test in (False, True))
    if not len(validation) or not len(test):
        raise Unlearnable("nobody whose personalisation is on chose anything")
    known, later = replay.of_pairs(asked, validation), replay.of_pairs(asked, test)
    found: list[Learned] = []
    with stages.stage("learning", seeds) as advance:
        examples, decays = replay.examples(known), replay.decays(known)
        for seed in range(seeds):
            found.append(learn(examples, asked.weights, decays, trials, seed))
            advance(1)
    profile = averaged(found)
    with stages.stage("judging"):
        decayed = replay.with_decays(later, profile.parameters)
        judged = models.judge_weights(
            decayed, np.arange(len(decayed)), profile.array(), is_shown=False
        )
        users = asked.user[test]
        ours = metrics.by_user(judged.values, users)
        theirs = metrics.by_user(models.judge_feed(asked, test).values, users)
        resamples = metrics.resamples(len(ours), RESAMPLING_SEED)
        default, learned, difference = (
            [metrics.estimate(values[:, column], resamples) for column in range(len(METRICS))]
            for values in (theirs, ours, ours - theirs)
        )
    start = of(asked.weights, present(replay.decays(asked)))
    is_offered = difference[JUDGE].low > 0
    evaluation = {
        "source": "interactions",
        "data": data.name,
        "fitted_on": _period(known, cutoffs, is_test=False),
        "judged_on": _period(later, cutoffs, is_test=True),
        "metrics": {
            metric: {
                "default": _estimate(default[column]),
                "learned": _estimate(learned[column]),
                "difference": _estimate(difference[column]),
            }
            for column, metric in enumerate(METRICS)
        },
        "default": _setting(start),
        "seeds": [
            _numbers(one.weights) | {"ridge": one.ridge} | one.parameters | _worth(one)
            for one in found
        ],
        "trials": trials,
        "won": is_offered,
    }
    return Found(profile, start, evaluation, is_offered, default, learned, difference)


def willing(asked: Asked, pairs: np.ndarray, data: Data) -> np.ndarray:
    """Pairs of users from whom something may be learned: personalisation is not off."""
    is_off = np.array([row.get("personalization_enabled") is False for row in data.users])
    return pairs[~is_off[asked.user[pairs]]]


def _period(asked: Asked, cutoffs: Sequence[Cutoff], is_test: bool) -> dict[str, Any]:
    windows = [cutoff for cutoff in cutoffs if cutoff.is_test == is_test]
    return {
        "from": instant(windows[0].at).isoformat(),
        "until": instant(windows[-1].until).isoformat(),
        "cutoffs": len(windows),
        "users": len(np.unique(asked.user)),
        "feeds": len(asked),
        "positives": len(asked.positive),
    }


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    return {
        name: None if math.isnan(value) else round(value, 5)
        for name, value in asdict(estimate).items()
    }


def _setting(profile: Profile) -> dict[str, float]:
    return {name: float(weight) for name, weight in profile.weights.items()} | profile.parameters


def _numbers(weights: np.ndarray) -> dict[str, float]:
    return {name: round(float(w), 5) for name, w in zip(COMPONENTS, weights, strict=True)}


def _worth(learned: Learned) -> Mapping[str, float]:
    return {"ndcg@10": round(learned.value, 5), "default_ndcg@10": round(learned.start_value, 5)}
