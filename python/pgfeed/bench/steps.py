"""How many users each step carries, from measured figures: docs/dba/scaling.md, tables and plot.

Nothing is measured here. What a feed, an interaction, a listing and a training cost comes from
docs/benchmarks/*.jsonl and docs/dba/capacity.md; who asks how often is assumed, in LOAD. Between
the two measured sizes and beyond them costs are taken to grow in a straight line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pgfeed.bench.document import number, replace_section
from pgfeed.bench.figures import Figure

PAGE = "docs/dba/scaling.md"
# The machine that all figures come from.
MEASURED_CORES = 2
WORLDS = {"small": (100_000, 1_000_000), "medium": (1_000_000, 10_000_000)}
"""Listings and interactions of the measured worlds."""

# Goals: 15 minutes, and 200 ms for the slowest kind of user.
TRAINING_WINDOW_S = 900
FEED_LIMIT_MS = 200
GB = 1e9
SIZES = (1_000_000, 10_000_000, 100_000_000)
SESSION_POOL = 10

SCALING_LINES = {
    "gateway_feeds_per_s_1": "feeds a second through the gateway, 1 connection",
    "gateway_feeds_per_s_16": "the same, 16 connections",
    "gateway_feeds_p50_ms_1": "median of a feed, 1 connection",
    "gateway_feeds_p50_ms_16": "the same, 16 connections",
    "cache_hit_ms_p50": "median of a feed that the cache has; baseline: past the cache",
    "cache_hit_ms_p99": "its 99th percentile, likewise",
    "cache_requests_per_s": "feeds a second, all of them hits; baseline: without the cache",
    "cache_mix_requests_per_s": "feeds and writes, 9 to 1, of 2,000 users; baseline: without",
    "cache_hit_ratio": "share of the feeds of that mix that the cache has",
    "cache_bytes_per_user": "memory of the cache a user; baseline: the feed as JSON",
    "cache_killed_errors": "errors while Redis is killed under the mix, and comes back",
    "replica_reads_per_s_1": "feeds a second with one replica; baseline: without",
    "replica_reads_per_s_2": "the same with two",
    "replica_lag_ms_p50": "from a commit until a replica shows it, while 8 clients write",
    "replica_lag_ms_p99": "its 99th percentile",
    "failover_s": "from the kill of the primary to the first write elsewhere",
    "failover_failed_reads": "reads that failed meanwhile; baseline: how many there were",
    "pooled_reads_per_s": "feeds a second of three PostgRESTs by pgbouncer; baseline: directly",
    "pooled_memory_mb": "memory of their sessions, likewise",
    "sql_engine_all_p50_ms": "a feed without plpython3u; baseline: the engine in Python",
    "sql_engine_all_p99_ms": "its 99th percentile, likewise",
    "sql_engine_all_processor_p99_ms": "its 99th percentile of processor time",
    "spark_similarity_s": "similar users on Spark, 2 threads; baseline: the local engine",
    "spark_cpu_s": "its processor time, likewise",
    "spark_shuffle_mb": "through its shuffles",
    "spark_memory_mb": "memory of all its processes",
}


@dataclass(frozen=True)
class Load:
    """Who asks how often, and what is kept."""

    daily_share: float = 0.2
    sessions: float = 2
    feeds_a_session: float = 3
    interactions_a_session: float = 3
    peak: float = 4
    listings_a_user: float = 1
    interactions_a_user: float = 100
    used_share: float = 0.6

    def feeds_per_s(self, users: float) -> float:
        return users * self.daily_share * self.sessions * self.feeds_a_session * self.peak / 86400

    def writes_per_s(self, users: float) -> float:
        return self.feeds_per_s(users) * self.interactions_a_session / self.feeds_a_session


LOAD = Load()
LOAD_TEXTS = {
    "daily_share": "share of users who come on a day",
    "sessions": "their sessions a day",
    "feeds_a_session": "feeds of 50 in a session",
    "interactions_a_session": "interactions in a session",
    "peak": "busiest hour over the day's mean",
    "listings_a_user": "open listings a user",
    "interactions_a_user": "interactions kept a user",
    "used_share": "how much of processors, memory and disk may be used",
}


@dataclass(frozen=True)
class Machine:
    """cores, GB of memory, GB of disk."""

    cores: int
    memory: int
    disk: int

    @property
    def name(self) -> str:
        return f"{self.cores} cores, {self.memory} GB"


MACHINES = (
    Machine(2, 24, 250),
    Machine(8, 64, 1000),
    Machine(32, 256, 4000),
    Machine(64, 512, 8000),
)


@dataclass(frozen=True)
class Step:
    """A way to run it: on one machine, or on several like it."""

    name: str
    machine: Machine
    hit_ratio: float = 0
    replicas: int = 0
    trains_elsewhere: bool = False
    regions: int = 1


class Costs:
    """What things cost, in straight lines through the two measured worlds."""

    def __init__(self, figures: dict[str, dict[str, Figure]], each: dict[str, float]) -> None:
        """figures: by scale and name; each: bytes on disk a user, listing and interaction."""
        self.each = each

        def line(name: str, kind: int, of: Callable[[Figure], float]) -> tuple[float, float]:
            x, y = zip(
                *((WORLDS[scale][kind], of(figures[scale][name])) for scale in WORLDS), strict=True
            )
            slope = (y[1] - y[0]) / (x[1] - x[0])
            return y[0] - slope * x[0], slope

        def value(figure: Figure) -> float:
            return figure.value

        self._feed = line("feed_throughput_8", 0, lambda f: 1000 * MEASURED_CORES / f.value)
        self._gateway = max(figures[s]["gateway_overhead_ms_p50"].ratio for s in WORLDS)
        self._slowest = line("feed_no_limit_p99_ms", 0, value)
        self._session = line("backend_memory_mb", 0, value)
        self._training_memory = line("train_peak_memory_mb", 1, value)
        medium = figures["medium"]
        of_listings = sum(medium[f"train_listing_{n}_s"].value for n in ("vectors", "neighbors"))
        self._training = (
            of_listings / WORLDS["medium"][0],
            (medium["train_models_s"].value - of_listings) / WORLDS["medium"][1],
        )
        self.writes_per_core = medium["ingest_api"].value / MEASURED_CORES

    def feed_core_s(self, listings: float) -> float:
        """Processor seconds of a feed, gateway and client and all."""
        return (self._feed[0] + self._feed[1] * listings + self._gateway) / 1000

    def slowest_ms(self, listings: float) -> float:
        """p99 of those without a distance limit."""
        return self._slowest[0] + self._slowest[1] * listings

    def session_gb(self, listings: float) -> float:
        """Own memory of a session that has read all blocks."""
        return (self._session[0] + self._session[1] * listings) / 1000

    def block_gb(self, listings: float) -> float:
        """What of shared_buffers the blocks take: what a session copies, without its start."""
        return self._session[1] * listings / 1000

    def training_s(self, listings: float, interactions: float) -> float:
        """On one core: it hardly uses a second."""
        return self._training[0] * listings + self._training[1] * interactions

    def training_gb(self, interactions: float) -> float:
        """Its own memory."""
        return (self._training_memory[0] + self._training_memory[1] * interactions) / 1000

    def disk_gb(self, users: float, load: Load) -> float:
        """With all indexes and everything derived."""
        return (
            users
            * (
                self.each["user"]
                + self.each["listing"] * load.listings_a_user
                + self.each["interaction"] * load.interactions_a_user
            )
            / GB
        )


def needs(step: Step, costs: Costs, users: float, load: Load = LOAD) -> dict[str, float]:
    """What of each resource so many users take, over what a step has of it."""
    users /= step.regions
    machine = step.machine
    listings = users * load.listings_a_user
    interactions = users * load.interactions_a_user
    feeds = load.feeds_per_s(users) * (1 - step.hit_ratio) * costs.feed_core_s(listings)
    writes = load.writes_per_s(users) / costs.writes_per_core
    sessions = max(SESSION_POOL, machine.cores)
    memory = costs.block_gb(listings) + sessions * costs.session_gb(listings)
    if not step.trains_elsewhere:
        memory += costs.training_gb(interactions)
    found = {
        # Every machine answers its part of the feeds; only the primary writes, but all replay.
        "feeds": (feeds / (1 + step.replicas) + writes) / machine.cores / load.used_share,
        "latency": costs.slowest_ms(listings) / FEED_LIMIT_MS,
        "memory": memory / machine.memory / load.used_share,
        "training": costs.training_s(listings, interactions) / TRAINING_WINDOW_S,
        "disk": costs.disk_gb(users, load) / machine.disk / load.used_share,
        "writes": writes / machine.cores / load.used_share,
    }
    if step.trains_elsewhere:
        del found["training"]
    return found


def most_users(step: Step, costs: Costs, resource: str | None = None, load: Load = LOAD) -> float:
    """How many users a step carries until a resource ends, or the first of all."""

    def is_enough(users: float) -> bool:
        taken = needs(step, costs, users, load)
        return (max(taken.values()) if resource is None else taken[resource]) <= 1

    low, high = 0.0, 1e12
    while high - low > max(low, 1) * 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if is_enough(middle) else (low, middle)
    return low


def ends_first(step: Step, costs: Costs, load: Load = LOAD) -> str:
    taken = needs(step, costs, most_users(step, costs, load=load), load)
    return max(taken, key=taken.__getitem__)


def ladder(scaling: dict[str, Figure]) -> list[Step]:
    """The steps in the order in which they are taken; the cache only when it has been measured."""
    small, middle, large = MACHINES[0], MACHINES[1], MACHINES[2]
    hit = scaling.get("cache_hit_ratio")
    steps = [Step(small.name, small)]
    if hit:
        steps.append(Step(f"{small.name}, cache", small, hit.value))
    steps.append(Step(middle.name, middle))
    ratio = hit.value if hit else 0
    if hit:
        steps.append(Step(f"{middle.name}, cache", middle, ratio))
    cached = ", cache" if hit else ""
    return [
        *steps,
        Step(f"{large.name}{cached}", large, ratio),
        Step("… trained elsewhere", large, ratio, trains_elsewhere=True),
        Step("… 2 replicas", large, ratio, 2, True),
        Step("… 4 regions of these", large, ratio, 2, True, 4),
        Step("… 16 regions of these", large, ratio, 2, True, 16),
    ]


# ---------------------------------------------------------------------- the page


def write(repository: Path) -> None:
    """Replaces the tables of the page, and draws the plot."""
    for name, text in sections(repository).items():
        replace_section(repository / PAGE, name, text)
    costs, scaling = read(repository)
    draw(ladder(scaling), costs, repository / "docs/benchmarks/scaling.svg")


def sections(repository: Path) -> dict[str, str]:
    """The made parts of the page, by name."""
    costs, scaling = read(repository)
    steps = ladder(scaling)
    return {
        "load": load_table(LOAD),
        "machines": machines_table(costs),
        "steps": steps_table(steps, costs),
        "path": path_table(costs),
        "measured": measured_table(list(read_lines(repository / "docs/benchmarks/scaling.jsonl"))),
    }


def read(repository: Path) -> tuple[Costs, dict[str, Figure]]:
    """Costs, and the figures of the steps themselves: those there are."""
    folder = repository / "docs/benchmarks"
    figures = {
        scale: {figure.name: figure for figure in read_lines(folder / f"{scale}.jsonl")}
        for scale in WORLDS
    }
    scaling = {figure.name: figure for figure in read_lines(folder / "scaling.jsonl")}
    return Costs(figures, bytes_each((repository / "docs/dba/capacity.md").read_text())), scaling


def read_lines(file: Path) -> list[Figure]:
    """The figures of a file of JSON lines; none if it is not there."""
    if not file.exists():
        return []
    return [Figure(**json.loads(line)) for line in file.read_text().splitlines() if line.strip()]


def bytes_each(capacity: str) -> dict[str, float]:
    """What a user, a listing and an interaction take on disk: of the largest world."""
    rows = re.findall(r"^\| (\w+) \| ([\d,]+) \| [\d,]+ MB \| ([\d,]+) \|$", capacity, re.MULTILINE)
    found: dict[str, tuple[int, int]] = {}
    for thing, count, size in rows:
        pair = (int(count.replace(",", "")), int(size.replace(",", "")))
        found[thing] = max(found.get(thing, pair), pair)
    return {thing: float(size) for thing, (_, size) in found.items()}


def load_table(load: Load) -> str:
    rows = [f"| {text} | {getattr(load, name):g} |" for name, text in LOAD_TEXTS.items()]
    return table(["assumed", ""], rows)


def machines_table(costs: Costs) -> str:
    """Users until each resource ends, on one machine; the first in bold."""
    rows = []
    for machine in MACHINES:
        step = Step(machine.name, machine)
        first = ends_first(step, costs)
        cells = [
            f"**{millions(most_users(step, costs, name))}**"
            if name == first
            else millions(most_users(step, costs, name))
            for name in needs(step, costs, 1)
        ]
        rows.append(f"| {machine.name}, {machine.disk:,} GB disk | " + " | ".join(cells) + " |")
    return table(["users, until it ends", *needs(Step("", MACHINES[0]), costs, 1)], rows)


def steps_table(steps: list[Step], costs: Costs) -> str:
    rows = []
    for step in steps:
        users = most_users(step, costs)
        rows.append(
            f"| {step.name} | {millions(users)} | {number(LOAD.feeds_per_s(users))} |"
            f" {number(LOAD.writes_per_s(users))} | {ends_first(step, costs)} |"
        )
    return table(["step", "users", "feeds/s", "interactions/s", "ends first"], rows)


def path_table(costs: Costs) -> str:
    """The arithmetic of the promised sizes."""
    rows = []
    for users in SIZES:
        listings = users * LOAD.listings_a_user
        interactions = users * LOAD.interactions_a_user
        cores = LOAD.feeds_per_s(users) * costs.feed_core_s(listings) / LOAD.used_share
        split = LOAD.feeds_per_s(users) * costs.feed_core_s(listings / 16) / LOAD.used_share
        training = [costs.training_s(listings / n, interactions / n) / 60 for n in (1, 16)]
        memory = [costs.training_gb(interactions / n) for n in (1, 16)]
        rows.append(
            f"| {millions(users)} | {number(LOAD.feeds_per_s(users))} |"
            f" {number(LOAD.writes_per_s(users))} | {number(cores)} | {number(split)} |"
            f" {number(costs.slowest_ms(listings))} ms | {number(costs.session_gb(listings))} GB |"
            f" {number(costs.disk_gb(users, LOAD))} GB |"
            f" {number(training[0])} min, {number(memory[0])} GB |"
            f" {number(training[1])} min, {number(memory[1])} GB |"
        )
    return table(
        [
            "users",
            "feeds/s",
            "interactions/s",
            "cores for feeds",
            "in 16 regions",
            "slowest feeds",
            "a session",
            "disk",
            "training",
            "a region's",
        ],
        rows,
    )


def measured_table(figures: list[Figure]) -> str:
    """The lines that there are, in the order of SCALING_LINES; others after them."""
    order = list(SCALING_LINES)
    figures = sorted(figures, key=lambda f: order.index(f.name) if f.name in order else len(order))
    rows = [
        f"| `{f.name}` | {SCALING_LINES.get(f.name, '')} | {f.scale} |"
        f" {number(f.value)} {f.unit} | {number(f.baseline)} | {number(f.ratio)} |"
        for f in figures
    ]
    return table(["line", "", "scale", "value", "baseline", "ratio"], rows)


def table(head: list[str], rows: list[str]) -> str:
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows]) + "\n"


def millions(users: float) -> str:
    """Two digits that count."""
    return f"{float(f'{users / 1e6:.2g}'):,g} M"


# ---------------------------------------------------------------------- the plot


def draw(steps: list[Step], costs: Costs, file: Path) -> None:
    """A bar a step, as long as the users that it carries."""
    import matplotlib

    matplotlib.use("svg")
    # The same figures make the same file.
    matplotlib.rcParams["svg.hashsalt"] = "pgfeed"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.5, 0.42 * len(steps) + 1.4), layout="constrained")
    users = [most_users(step, costs) / 1e6 for step in steps]
    places = range(len(steps))
    axes.barh(places, users, color="tab:blue", height=0.6)
    for place, step, value in zip(places, steps, users, strict=True):
        text = f"{millions(value * 1e6)}: {ends_first(step, costs)}"
        axes.annotate(
            text, (value, place), (4, 0), textcoords="offset points", va="center", fontsize="small"
        )
    for size in SIZES:
        axes.axvline(size / 1e6, color="grey", linewidth=0.8, linestyle=":")
    axes.set(
        xscale="log",
        xlim=(0.1, 1000),
        xlabel="million users (a listing each) until the named resource ends",
        title="What each step carries",
        yticks=list(places),
        yticklabels=[step.name for step in steps],
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
