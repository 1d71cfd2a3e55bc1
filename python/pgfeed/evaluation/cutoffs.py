"""Rolling cut-offs in time, and whom to ask at each.

They cover the last fifth of the positives (applications): a model learns from all that came
before a cut-off and is judged by what came until the next one. The first of them are the
validation period, in which every model is tuned; the others are the test period.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pgfeed.evaluation.data import APPLY, Data

HOUR = 3_600_000_000
DAY = 24 * HOUR
PAST_SHARE = 0.8
"""Of the positives, what came before the first cut-off."""

VALIDATION_SHARE = 1 / 3
"""Of the positives after the first cut-off, about what the validation period has."""

WEEK = 7 * DAY
FEWEST, MOST = 6, 40
"""Cut-offs; a step is a week where that makes so many."""


class TooLittle(Exception):
    """Why a set cannot be judged, in a sentence."""


@dataclass(frozen=True)
class Cutoff:
    """A moment, and what was done from then until the next one.

    at, until: microseconds since 1970; a positive came in (at, until]
    users, listings: (n,) int32 each positive pair once, by user; new to the user, the listing
        existed at the cut-off
    unborn: positives, of all users, with listings that did not exist at the cut-off: out of
        everybody's reach
    born: the others, of all users
    """

    at: int
    until: int
    is_test: bool
    users: np.ndarray
    listings: np.ndarray
    unborn: int
    born: int

    @property
    def askers(self) -> np.ndarray:
        """Who did something, ascending."""
        return np.unique(self.users)


def rolling(
    data: Data, step_days: float | None = None, most_askers: int | None = None
) -> list[Cutoff]:
    """Cut-offs with at least one positive each, oldest first.

    most_askers: at most so many of those who did something are asked; None: all
    Raises TooLittle.
    """
    is_positive = data.type == APPLY
    times = data.at[is_positive]
    if len(times) < 10:
        raise TooLittle(
            f"{data.name} has {len(times)} interactions of type apply: too few to split"
        )
    first = _whole_hour(int(times[int(len(times) * PAST_SHARE)]))
    last = int(times[-1])
    step = round(step_days * DAY) if step_days else step_for(last - first)
    edges = [*range(first, last, step), last]
    # What is left over is no window of its own.
    if len(edges) > 2 and edges[-1] - edges[-2] < step / 2:
        del edges[-2]
    # The same pair again is a positive only once, when it was new.
    order = np.flatnonzero(is_positive)
    pairs = data.user[order].astype(np.int64) * len(data.listings) + data.listing[order]
    _, firsts = np.unique(pairs, return_index=True)
    new = np.sort(order[firsts])
    new = new[data.is_first[new]]
    created_at = data.created_at
    cutoffs = []
    for at, until in pairwise(edges):
        begin, end = np.searchsorted(data.at[new], (at, until), side="right")
        rows = new[begin:end]
        is_born = created_at[data.listing[rows]] <= at
        kept = rows[is_born]
        if not len(kept):
            continue
        kept = kept[np.lexsort((data.listing[kept], data.user[kept]))]
        unborn = int(np.sum(~is_born))
        cutoff = Cutoff(at, until, True, data.user[kept], data.listing[kept], unborn, len(kept))
        cutoffs.append(thinned(cutoff, data, most_askers))
    return _with_periods(cutoffs, data.name)


def thinned(cutoff: Cutoff, data: Data, most: int | None) -> Cutoff:
    """The cut-off with at most so many askers, others at each: by a hash of user and time."""
    askers = cutoff.askers
    if most is None or len(askers) <= most:
        return cutoff
    hashes = [
        hashlib.sha256(f"{data.users[user]['user_uid']} {cutoff.at}".encode()).digest()
        for user in askers.tolist()
    ]
    chosen = askers[sorted(range(len(askers)), key=hashes.__getitem__)[:most]]
    is_kept = np.isin(cutoff.users, chosen)
    return replace(cutoff, users=cutoff.users[is_kept], listings=cutoff.listings[is_kept])


def step_for(span: int) -> int:
    """A week, or what makes a sensible number of cut-offs of a span; whole hours."""
    step = min(max(WEEK, span // MOST), max(span // FEWEST, HOUR))
    return max(_whole_hour(step), HOUR)


def _whole_hour(at: int) -> int:
    """What is counted once an hour stays in its hour when times move by whole hours."""
    return at - at % HOUR


def _with_periods(cutoffs: list[Cutoff], name: str) -> list[Cutoff]:
    """The first ones, with about VALIDATION_SHARE of the positives, are for tuning."""
    if len(cutoffs) < 2:
        raise TooLittle(
            f"{name} has {len(cutoffs)} cut-off with a positive that can be judged;"
            " tuning and testing need one each"
        )
    counts = np.cumsum([len(cutoff.users) for cutoff in cutoffs])
    tuned = int(np.searchsorted(counts, counts[-1] * VALIDATION_SHARE)) + 1
    tuned = min(tuned, len(cutoffs) - 1)
    return [replace(one, is_test=place >= tuned) for place, one in enumerate(cutoffs)]
