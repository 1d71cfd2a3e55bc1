"""What fitting found, for people: the weights side by side, the figures, and what became of it."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table

from pgfeed.evaluation.metrics import METRICS, Estimate
from pgfeed.fit.fitting import Found

UNITS = {"recency_half_life": "days", "location_decay_km": "km"}


def show(found: Found, name: str, is_written: bool) -> None:
    """Two tables and a sentence on standard output."""
    console = Console(width=None if Console().is_terminal else 100, highlight=False)
    weights = Table(title="Weights", title_justify="left")
    weights.add_column("")
    for heading in ("default", name):
        weights.add_column(heading, justify="right")
    for component, weight in found.profile.weights.items():
        weights.add_row(component, f"{found.start.weights[component]:.5f}", f"{weight:.5f}")
    weights.add_section()
    for parameter, value in found.profile.parameters.items():
        weights.add_row(
            f"{parameter} ({UNITS[parameter]})" if parameter in UNITS else parameter,
            f"{found.start.parameters[parameter]:g}",
            f"{value:g}",
        )
    console.print(weights)
    judged = found.evaluation["judged_on"]
    figures = Table(
        title=f"On {judged['feeds']} feeds of {judged['users']} users at the later cut-offs",
        title_justify="left",
    )
    figures.add_column("")
    for heading in ("default", name, "difference"):
        figures.add_column(heading, justify="right", no_wrap=True)
    for metric, default, learned, difference in zip(
        METRICS, found.default, found.learned, found.difference, strict=True
    ):
        figures.add_row(metric, _text(default), _text(learned), _text(difference, "+"))
    console.print(figures)
    verdict = (
        "above default by more than the interval: it is offered"
        if found.is_offered
        else "not above default by more than the interval: it is not offered"
    )
    console.print(f"{name} is {verdict}{'' if is_written else '; nothing was written'}.")


def _text(estimate: Estimate, sign: str = "") -> str:
    if math.isnan(estimate.value):
        return "–"
    low, high = (f"{value:{sign}.3f}" for value in (estimate.low, estimate.high))
    return f"{estimate.value:{sign}.3f} \\[{low}, {high}]"
