"""All answers of a run as flat arrays: what tuning, ablation and fitting work on.

A pair is a user at a cut-off. Its candidates are a slice of the flat arrays, in the order in
which the feed breaks ties, so that scoring all of a run is one product of a matrix and a
vector of weights.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from pgfeed.evaluation.cutoffs import Cutoff
from pgfeed.evaluation.product import MEASURES, Answer


@dataclass(frozen=True)
class Asked:
    """Pairs whose user did something, before the next cut-off, that the feed could have shown.

    user, cutoff: (pairs,) int32 positions in Data.users and in the cut-offs
    is_test: (pairs,) bool
    is_cold: (pairs,) bool: the user had done nothing before
    starts: (pairs + 1,) int64, where each pair's candidates begin
    listing: (candidates,) int32 positions in Data.listings, ascending within a pair
    values: (candidates, components) float32
    distance_km: (candidates,) float32, NaN where unknown
    age_days: (candidates,) float32 since the listing was created
    positive_starts: (pairs + 1,) int64
    positive: (positives,) int64 positions in the flat arrays
    feed_starts: (pairs + 1,) int64
    feed: (rows,) int32 what get_feed gave, best first
    positives_unborn, positives_born: (2,) int64, of the validation and the test period: what
        all users did first with listings that did not exist at the cut-off, and with others
    positives_asked, positives_removed: (2,) int64, of those who were asked: what they did first
        with listings that existed, and what of it a rule keeps out of their feeds
    weights: (components,) float64 of the profile that was asked
    parameters: (2,) float64 its recency_half_life in days, and its location_decay_km
    """

    user: np.ndarray
    cutoff: np.ndarray
    is_test: np.ndarray
    is_cold: np.ndarray
    starts: np.ndarray
    listing: np.ndarray
    values: np.ndarray
    distance_km: np.ndarray
    age_days: np.ndarray
    positive_starts: np.ndarray
    positive: np.ndarray
    feed_starts: np.ndarray
    feed: np.ndarray
    positives_unborn: np.ndarray
    positives_born: np.ndarray
    positives_asked: np.ndarray
    positives_removed: np.ndarray
    weights: np.ndarray
    parameters: np.ndarray

    def __len__(self) -> int:
        return len(self.user)

    def candidates(self, pair: int) -> slice:
        """Where a pair's candidates lie."""
        return slice(int(self.starts[pair]), int(self.starts[pair + 1]))

    def positives(self, pair: int) -> np.ndarray:
        """(n,) positions within the pair's candidates."""
        part = slice(int(self.positive_starts[pair]), int(self.positive_starts[pair + 1]))
        return self.positive[part] - self.starts[pair]

    def feed_of(self, pair: int) -> np.ndarray:
        """(at most 200,) positions in Data.listings, best first."""
        return self.feed[int(self.feed_starts[pair]) : int(self.feed_starts[pair + 1])]

    def pairs(self, is_test: bool) -> np.ndarray:
        """Of a period."""
        return np.flatnonzero(self.is_test == is_test)

    def save(self, file: Path) -> None:
        """As .npz."""
        np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, file: Path) -> Asked:
        """What save wrote."""
        with np.load(file) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})


class Collector:
    """Makes an Asked, cut-off by cut-off."""

    def __init__(self) -> None:
        self._columns: dict[str, list] = {
            name: []
            for name in ("user", "cutoff", "is_test", "is_cold", "listing", "feed", *MEASURES)
        }
        self._positives: list[np.ndarray] = []
        self._candidates = 0
        self._counts = np.zeros((4, 2), dtype=np.int64)

    def add(self, number: int, cutoff: Cutoff, answers: list[Answer], veterans: np.ndarray) -> None:
        """The answers at a cut-off; veterans: (n,) who had done anything before."""
        period = int(cutoff.is_test)
        self._counts[:3, period] += cutoff.unborn, cutoff.born, len(cutoff.users)
        for answer in answers:
            wanted = cutoff.listings[cutoff.users == answer.user]
            positives = np.flatnonzero(np.isin(answer.listings, wanted))
            self._counts[3, period] += len(wanted) - len(positives)
            if not len(positives):
                continue
            columns = self._columns
            columns["user"].append(answer.user)
            columns["cutoff"].append(number)
            columns["is_test"].append(cutoff.is_test)
            columns["is_cold"].append(answer.user not in veterans)
            columns["listing"].append(answer.listings)
            for name in MEASURES:
                columns[name].append(getattr(answer, name).astype(np.float32))
            columns["feed"].append(answer.feed)
            self._positives.append(positives + self._candidates)
            self._candidates += len(answer.listings)

    def collected(self, weights: np.ndarray, parameters: np.ndarray) -> Asked:
        """Everything so far, and of the profile that was asked the weights and parameters."""
        columns = self._columns
        return Asked(
            np.array(columns["user"], dtype=np.int32),
            np.array(columns["cutoff"], dtype=np.int32),
            np.array(columns["is_test"], dtype=bool),
            np.array(columns["is_cold"], dtype=bool),
            _starts(columns["listing"]),
            _joined(columns["listing"], np.int32),
            np.concatenate([np.zeros((0, len(weights)), dtype=np.float32), *columns["values"]]),
            _joined(columns["distance_km"], np.float32),
            _joined(columns["age_days"], np.float32),
            _starts(self._positives),
            _joined(self._positives, np.int64),
            _starts(columns["feed"]),
            _joined(columns["feed"], np.int32),
            *self._counts,
            weights,
            parameters,
        )


def _starts(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype=dtype)
