"""What a benchmark prints: one figure a line, with its baseline and their ratio."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """One line. value and baseline are in `unit`; ratio is what the goal is about."""

    name: str
    scale: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None

    def line(self) -> str:
        numbers = {
            key: None if value is None else float(f"{value:.4g}")
            for key, value in asdict(self).items()
            if key in ("value", "baseline", "ratio")
        }
        return json.dumps(asdict(self) | numbers)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not pass (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def median(values: Sequence[float]) -> float:
    """The middle one, or the mean of the two in the middle."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return (ordered[middle] + ordered[~middle]) / 2
