"""Components that another half-life or decay distance would change, as closed formulas.

recency = 2^(−age / half-life) and location = exp(−d / decay) follow from the age and the
distance, so that other values of the two can be tried without asking the product again. What
has no distance keeps its score. (The other parameters of a profile decide what is read.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Decay:
    """A component exp(−rate · measure / parameter).

    name: of the parameter, as a column of feed.ranking_profiles
    column: of the component
    measure: (n,) float32, NaN where the component does not follow from it
    present: the parameter's value in the components as they are
    low, high: between which others are tried
    """

    name: str
    column: int
    measure: np.ndarray
    rate: float
    present: float
    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        """Evenly in the logarithm."""
        return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))

    def component(self, values: np.ndarray, parameter: float) -> np.ndarray:
        """(n,) float32 the component with another parameter."""
        if parameter == self.present:
            return values[:, self.column]
        measure = np.maximum(self.measure, 0)
        decayed = np.exp(-self.rate / parameter * measure, dtype=np.float32)
        return np.where(np.isnan(measure), values[:, self.column], decayed)


def with_parameters(
    values: np.ndarray, decays: Sequence[Decay], parameters: Mapping[str, float]
) -> np.ndarray:
    """(n, components) float32 the components with other parameters; the same array if none is."""
    changed = [decay for decay in decays if parameters[decay.name] != decay.present]
    if not changed:
        return values
    values = values.copy()
    for decay in changed:
        values[:, decay.column] = decay.component(values, parameters[decay.name])
    return values


def present(decays: Sequence[Decay]) -> dict[str, float]:
    """The parameters of the components as they are."""
    return {decay.name: decay.present for decay in decays}
