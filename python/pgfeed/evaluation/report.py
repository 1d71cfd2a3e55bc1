"""What a run found: one JSON object a line, a table, a plot, and a section of the document."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from pgfeed.bench.document import replace_section
from pgfeed.evaluation import metrics
from pgfeed.evaluation.metrics import COVERAGE, METRICS, Estimate

OURS = ("default", "learned")
"""Compared with every baseline."""


@dataclass(frozen=True)
class Model:
    """A model in the test period.

    kind: ours, baseline, or ablation
    user_values: (users, METRICS), averaged over the settings
    settings: what tuning chose, one a seed
    """

    name: str
    kind: str
    user_values: np.ndarray
    coverage: float
    settings: list[Any]


@dataclass(frozen=True)
class Report:
    """facts: what was asked and how much of it could be answered, by name."""

    data: str
    facts: dict[str, float]
    models: list[Model]
    seed: int

    def weights(self) -> np.ndarray:
        """The resamples of the users, the same for every model."""
        return metrics.resamples(len(self.models[0].user_values), self.seed)

    def by_name(self) -> dict[str, Model]:
        """The models."""
        return {model.name: model for model in self.models}


def lines(report: Report) -> Iterator[str]:
    """Facts, figures with their interval, and paired differences (`versus`)."""
    for name, value in report.facts.items():
        yield _line(report.data, "data", name, Estimate(value, math.nan, math.nan))
    weights = report.weights()
    for model in report.models:
        for column, metric in enumerate(METRICS):
            estimate = metrics.estimate(model.user_values[:, column], weights)
            yield _line(report.data, model.name, metric, estimate)
        # A resample has fewer different users than there are: it cannot tell how sure this is.
        yield _line(report.data, model.name, COVERAGE, Estimate(model.coverage, math.nan, math.nan))
    for model, other in comparisons(report):
        for column, metric in enumerate(METRICS):
            difference = model.user_values[:, column] - other.user_values[:, column]
            estimate = metrics.estimate(difference, weights)
            yield _line(report.data, model.name, metric, estimate, other.name)


def comparisons(report: Report) -> Iterator[tuple[Model, Model]]:
    """Ours with one another and with every baseline; what an ablation has with default."""
    models = report.by_name()
    yield models["learned"], models["default"]
    for name in OURS:
        for other in report.models:
            if other.kind == "baseline":
                yield models[name], other
    for model in report.models:
        if model.kind == "ablation":
            yield model, models["default"]


def _line(data: str, model: str, metric: str, estimate: Estimate, versus: str = "") -> str:
    figure: dict[str, Any] = {"data": data, "model": model}
    if versus:
        figure["versus"] = versus
    figure["metric"] = metric
    for name in ("value", "low", "high"):
        number = getattr(estimate, name)
        figure[name] = None if math.isnan(number) else float(f"{number:.4g}")
    return json.dumps(figure)


def rows(report: Report, kinds: tuple[str, ...]) -> list[list[str]]:
    """A row a model: its name, the metrics, and by how much its NDCG@10 is above default's."""
    weights = report.weights()
    gain = METRICS.index("ndcg@10")
    default = report.by_name()["default"]
    found = []
    for model in report.models:
        if model.kind not in kinds:
            continue
        cells = [model.name]
        for column, metric in enumerate(METRICS):
            estimate = metrics.estimate(model.user_values[:, column], weights)
            # Intervals where they are read most.
            cells.append(_number(estimate, has_interval=metric == "ndcg@10"))
        cells.append(f"{model.coverage:.3f}")
        if model is default:
            cells.append("")
        else:
            difference = model.user_values[:, gain] - default.user_values[:, gain]
            cells.append(_number(metrics.estimate(difference, weights), True, sign="+"))
        found.append(cells)
    return found


HEADINGS = ("model", *METRICS, COVERAGE, "ndcg@10 − default's")


def _number(estimate: Estimate, has_interval: bool = False, sign: str = "") -> str:
    if math.isnan(estimate.value):
        return "–"
    text = f"{estimate.value:{sign}.3f}"
    return f"{text} [{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]" if has_interval else text


def show(report: Report) -> None:
    """The table, on standard error: the lines are on standard output."""
    console = Console(stderr=True, width=None if Console(stderr=True).is_terminal else 120)
    table = Table(title=title(report), title_justify="left")
    for place, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if place else "left", no_wrap=True)
    for kind in ("ours", "baseline", "ablation"):
        for cells in rows(report, (kind,)):
            table.add_row(*(cell.replace("[", "\\[") for cell in cells))
        table.add_section()
    console.print(table)


def title(report: Report) -> str:
    """What the figures are of."""
    facts = report.facts
    return (
        f"{report.data}: {facts['users']:.0f} users, {facts['pairs']:.0f} users at cut-offs,"
        f" {facts['positives']:.0f} positives"
    )


def draw(report: Report, file: Path) -> None:
    """NDCG@10 with its interval: the models, and beside them the ablation."""
    import matplotlib

    matplotlib.use("svg")
    # The same figures make the same file.
    matplotlib.rcParams["svg.hashsalt"] = "pgfeed"
    from matplotlib import pyplot

    weights = report.weights()
    gain = METRICS.index("ndcg@10")
    figure, panels = pyplot.subplots(1, 2, figsize=(10, 5), layout="constrained", sharex=True)
    for axes, kinds, text in (
        (panels[0], ("ours", "baseline"), "models"),
        (panels[1], ("ablation",), "without one component, or with it alone"),
    ):
        chosen = [model for model in report.models if model.kind in kinds]
        if kinds[0] == "ours":
            chosen.sort(key=lambda model: np.nanmean(model.user_values[:, gain]), reverse=True)
        else:
            chosen.insert(0, report.by_name()["default"])
        estimates = [metrics.estimate(model.user_values[:, gain], weights) for model in chosen]
        places = np.arange(len(chosen))[::-1]
        values = np.array([estimate.value for estimate in estimates])
        errors = np.array([[e.value - e.low, e.high - e.value] for e in estimates]).T
        colors = ["C3" if model.name in OURS else "C0" for model in chosen]
        axes.hlines(places, values - errors[0], values + errors[1], color=colors)
        axes.scatter(values, places, color=colors, zorder=3)
        axes.set_yticks(places, [model.name for model in chosen])
        axes.set(xlabel="NDCG@10, 95 % interval", title=text)
        axes.grid(axis="x", alpha=0.3)
    figure.suptitle(title(report), x=0.01, ha="left", fontsize="medium")
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def document(report: Report, repository: Path) -> None:
    """The lines, the plot and the tables into docs/."""
    folder = repository / "docs/evaluation"
    folder.mkdir(exist_ok=True)
    (folder / f"{report.data}.jsonl").write_text("".join(f"{line}\n" for line in lines(report)))
    draw(report, folder / f"{report.data}.svg")
    replace_section(repository / "docs/evaluation.md", report.data, section(report))


def section(report: Report) -> str:
    """The tables and what tuning chose."""
    facts = report.facts
    parts = [
        f"{facts['users']:.0f} users, {facts['pairs']:.0f} users at {facts['cutoffs']:.0f} cut-offs"
        f" ({facts['cold_pairs']:.0f} of them without any history), {facts['positives']:.0f}"
        f" positives. Of all first applications in the test period {facts['unborn_share']:.0%} were"
        f" to listings that did not exist at the cut-off, and are nobody's to find; of the others a"
        f" rule kept {facts['removed_share']:.0%} out of the feed.",
        f"![NDCG@10](evaluation/{report.data}.svg)",
        _markdown(rows(report, ("ours", "baseline"))),
        "NDCG@10 of `learned` less that of each baseline: " + "; ".join(margins(report)) + ".",
        "Each component of `default` left out, and alone:",
        _markdown(rows(report, ("ablation",))),
        "What tuning chose, one setting a seed:",
        "\n".join(
            f"- {model.name}: " + "; ".join(setting_text(setting) for setting in model.settings)
            for model in report.models
            if any(setting is not None and len(setting) for setting in model.settings)
        ),
    ]
    return "\n\n".join(parts) + "\n"


def margins(report: Report) -> Iterator[str]:
    """By how much `learned` is above each baseline in NDCG@10, with the paired interval."""
    weights = report.weights()
    gain = METRICS.index("ndcg@10")
    learned = report.by_name()["learned"]
    for model in report.models:
        if model.kind == "baseline":
            difference = learned.user_values[:, gain] - model.user_values[:, gain]
            yield f"{model.name} {_number(metrics.estimate(difference, weights), True, sign='+')}"


def setting_text(setting: Any) -> str:
    """Parameters by name, three digits."""
    return ", ".join(f"{name} {value:.3g}" for name, value in setting.items())


def _markdown(table: list[list[str]]) -> str:
    head = ["| " + " | ".join(HEADINGS) + " |", "|---" + "|---:" * (len(HEADINGS) - 1) + "|"]
    return "\n".join(head + ["| " + " | ".join(cells) + " |" for cells in table])
