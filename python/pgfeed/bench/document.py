"""The tables of docs/benchmarks.md, written by the run that measured them."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pgfeed.bench.figures import Figure

KIND_TEXTS = {
    "mix": "population mix",
    "dense": "most listings within the limit",
    "sparse": "fewest listings within the limit",
    "nobody_near": "nobody within reach: remote listings only",
    "no_location": "no location",
    "unlimited": "no distance limit",
    "many_seen": "5,000 of the best listings seen or dismissed",
    "many_tags": "300 preferred and 310 blocked tags",
    "impersonal": "personalisation off",
    "brand_new": "brand new: nothing known",
}

# What each comparison is, and the goal that its ratio (or value) has at 1M listings.
COMPARISONS: dict[str, tuple[str, str, Callable[[Figure], bool]]] = {
    "feed_vs_reference_p50": (
        "`score_listings` + order + limit, median",
        "≥ 20",
        lambda f: f.ratio >= 20,
    ),
    "feed_vs_reference_p99": ("the same, 99th percentile", "≥ 20", lambda f: f.ratio >= 20),
    "feed_vs_sql_p50": (
        "the best plain-SQL feed, population mix",
        "≥ 1.5",
        lambda f: f.ratio >= 1.5,
    ),
    "feed_vs_sql_dense": ("the same, dense places", "≥ 3", lambda f: f.ratio >= 3),
    "feed_vs_kernel_warm": (
        "bare numpy kernel, dense places, blocks in memory",
        "≤ 2",
        lambda f: f.ratio <= 2,
    ),
    "feed_vs_kernel_cold": ("the same, blocks to be read", "≤ 3", lambda f: f.ratio <= 3),
    "feed_cost_growth": (
        "ms for 1,000 candidates at 100K listings",
        "≤ 1.3",
        lambda f: f.ratio <= 1.3,
    ),
    "gateway_overhead_ms_p50": (
        "`get_feed` in SQL; ratio is the difference in ms",
        "≤ 2",
        lambda f: f.ratio <= 2,
    ),
    "feed_no_limit_p99_ms": (
        "no distance limit, or no location: 99th percentile",
        "< 250",
        lambda f: f.value < 250,
    ),
    "query_p99_ms": (
        "the slowest other statement, 99th percentile",
        "< 50",
        lambda f: f.value < 50,
    ),
    "fold_1pct_s": (
        "fold of 1 % of the listings, readers at work; baseline: alone",
        "< 5",
        lambda f: f.value < 5,
    ),
    "ingest_spread": (
        "inserts without triggers, 16 clients, one a commit, all over the listings",
        "≥ 0.4",
        lambda f: f.ratio >= 0.4,
    ),
    "ingest_hot": ("the same, all on one listing", "≥ 0.25", lambda f: f.ratio >= 0.25),
    "train_models_s": ("the daily training, in the server", "< 180", lambda f: f.value < 180),
    "train_peak_memory_mb": (
        "its session's greatest own memory (RssAnon)",
        "< 2,048",
        lambda f: f.value < 2048,
    ),
    "similarity_vs_bare": (
        "one call of sparse_dot_topn on the same matrix, in turns",
        "≤ 2",
        lambda f: f.ratio <= 2,
    ),
    "similarity_cpu_vs_bare": ("the same, processor seconds", "≤ 2", lambda f: f.ratio <= 2),
    "train_longest_pause_s": (
        "the longest time without heeding a cancel request",
        "< 1",
        lambda f: f.value < 1,
    ),
    "backend_memory_mb": (
        "own memory of a session (RssAnon) after every kind of feed",
        "< 300",
        lambda f: f.value < 300,
    ),
    "feed_mix_p99_ms": ("population mix, 99th percentile", "< 50", lambda f: f.value < 50),
}


def write_figures(repository: Path, scale: str, figures: list[Figure]) -> None:
    """Replaces the section of a scale in docs/benchmarks.md, and keeps the lines beside it."""
    folder = repository / "docs/benchmarks"
    folder.mkdir(exist_ok=True)
    lines = "".join(figure.line() + "\n" for figure in figures)
    (folder / f"{scale}.jsonl").write_text(lines)
    replace_section(repository / "docs/benchmarks.md", scale, section(figures))


def replace_section(document: Path, name: str, text: str) -> None:
    """Puts the text between the document's markers of that name."""
    begin, end = f"<!-- {name}: written by the bench -->", f"<!-- {name}: end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    replaced, count = pattern.subn(lambda _: f"{begin}\n\n{text}\n{end}", document.read_text())
    if count != 1:
        raise ValueError(f"{document} has no section between {begin} and {end}")
    document.write_text(replaced)


def section(figures: list[Figure]) -> str:
    """Tables of one scale's figures."""
    by_name = {figure.name: figure for figure in figures}
    parts = [f"{machine()}\n", _comparisons(by_name), _kinds(by_name), _rest(by_name)]
    return "\n".join(part for part in parts if part)


def machine() -> str:
    """When, on what, with which versions."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = " " + line.split(":", 1)[1].strip()
            break
    processors = len(os.sched_getaffinity(0))
    memory = int(Path("/proc/meminfo").read_text().split()[1]) >> 20
    postgres = subprocess.run(
        ["/usr/lib/postgresql/15/bin/postgres", "--version"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()[2]
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {processors} processors{model},"
        f" {memory} GB, PostgreSQL {postgres}, numpy {version('numpy')},"
        f" Python {platform.python_version()}."
    )


def number(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{float(f'{value:.3g}'):g}"


def _comparisons(by_name: dict[str, Figure]) -> str:
    rows = [
        f"| `{name}` | {text} | {number(f.value)} {f.unit} | {number(f.baseline)} |"
        f" {number(f.ratio)} | {goal} {'✓' if is_met(f) else '✗'} |"
        for name, (text, goal, is_met) in COMPARISONS.items()
        if (f := by_name.get(name))
    ]
    if not rows:
        return ""
    head = ["| line | beside | value | baseline | ratio | goal |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def _kinds(by_name: dict[str, Figure]) -> str:
    rows = []
    for kind, text in KIND_TEXTS.items():
        found = [by_name.get(f"feed_{kind}_{share}_ms") for share in ("p50", "p95", "p99")]
        if all(found):
            rows.append(f"| {text} | " + " | ".join(number(f.value) for f in found) + " |")
    if not rows:
        return ""
    head = ["| who asks (warm session) | p50 ms | p95 ms | p99 ms |", "|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def _rest(by_name: dict[str, Figure]) -> str:
    shown = {f"feed_{kind}_{share}_ms" for kind in KIND_TEXTS for share in ("p50", "p95", "p99")}
    rows = [
        f"| `{name}` | {number(f.value)} {f.unit} | {number(f.baseline)} | {number(f.ratio)} |"
        for name, f in by_name.items()
        if name not in shown and name not in COMPARISONS
    ]
    if not rows:
        return ""
    head = ["| line | value | baseline | ratio |", "|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"
