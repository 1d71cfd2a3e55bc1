"""The answers of a run of pgfeed.evaluation as examples, and what was learned put to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pgfeed.components import COMPONENTS
from pgfeed.evaluation.asked import Asked
from pgfeed.fit.decays import Decay, with_parameters
from pgfeed.fit.weights import Examples, rows_of

HALF_LIFE_DAYS = (0.25, 365.0)
DECAY_KM = (1.0, 500.0)


def of_pairs(asked: Asked, pairs: np.ndarray) -> Asked:
    """Some of the pairs, with their candidates, and without what get_feed gave."""
    rows, starts = rows_of(asked.starts, pairs)
    chosen, positive_starts = rows_of(asked.positive_starts, pairs)
    moved = np.repeat(starts[:-1] - asked.starts[pairs], np.diff(positive_starts))
    return replace(
        asked,
        user=asked.user[pairs],
        cutoff=asked.cutoff[pairs],
        is_test=asked.is_test[pairs],
        is_cold=asked.is_cold[pairs],
        starts=starts,
        listing=asked.listing[rows],
        values=asked.values[rows],
        distance_km=asked.distance_km[rows],
        age_days=asked.age_days[rows],
        positive_starts=positive_starts,
        positive=asked.positive[chosen] + moved,
        feed_starts=np.zeros(len(pairs) + 1, dtype=np.int64),
        feed=asked.feed[:0],
    )


def examples(asked: Asked) -> Examples:
    """Groups are the pairs, periods the cut-offs."""
    is_positive = np.zeros(len(asked.values), dtype=bool)
    is_positive[asked.positive] = True
    return Examples(asked.starts, asked.values, is_positive, asked.user, asked.cutoff)


def decays(asked: Asked) -> tuple[Decay, ...]:
    """The parameters of a profile that can be tried without asking again."""
    half_life, decay = asked.parameters.tolist()
    return (
        Decay(
            "recency_half_life",
            COMPONENTS.index("recency"),
            asked.age_days,
            np.log(2),
            half_life,
            *HALF_LIFE_DAYS,
        ),
        Decay(
            "location_decay_km",
            COMPONENTS.index("location"),
            asked.distance_km,
            1.0,
            decay,
            *DECAY_KM,
        ),
    )


def with_decays(asked: Asked, parameters: Mapping[str, float]) -> Asked:
    """The answers as a profile with other parameters would have them."""
    return replace(asked, values=with_parameters(asked.values, decays(asked), parameters))
