"""How many listings come into somebody's feed, from the feeds of some. No database in it."""

from __future__ import annotations

import numpy as np


def expected_distinct(feed_counts: np.ndarray, asked: int, users: int) -> float:
    """How many listings the feeds of all users would hold.

    feed_counts: (n,) in how many of the feeds asked for each listing was, those in none left out
    asked: feeds asked for, of users drawn at random
    users: all of them

    Extrapolates by incidence (Chao et al. 2014, equation 18): the listings seen in one feed or
    two tell how many are still unseen (Chao2, a lower bound), and how fast they would come.
    """
    seen = len(feed_counts)
    if asked >= users or not seen:
        return float(seen)
    once, twice = (int(np.sum(feed_counts == number)) for number in (1, 2))
    pairs = once * once / (2 * twice) if twice else once * (once - 1) / 2
    unseen = (asked - 1) / asked * pairs
    if unseen <= 0:
        return float(seen)
    a_feed = once / (asked * unseen + once)
    return seen + unseen * (1 - (1 - a_feed) ** (users - asked))
