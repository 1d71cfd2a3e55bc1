"""The similarity of users on Spark beside the local engine, on the same pairs.

Pairs of a synthetic world in memory, without a database. What a cluster takes can be reckoned from
these figures: docs/dba/spark.md.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pgfeed import synth
from pgfeed.bench.figures import Figure
from pgfeed.bench.scaling import NEIGHBORS, PRODUCTS_PER_STEP, THREADS, pairs_of
from pgfeed.bench.server import memory_mb
from pgfeed.bench.training import Process
from pgfeed.progress import Stages
from pgfeed.similarity import Neighbors, interest_matrix
from pgfeed.similarity import nearest_users as nearest_here
from pgfeed.spark.exchange import Exchange, folder_for
from pgfeed.spark.planning import Pairs, SimilarityParameters
from pgfeed.spark.session import explained, session
from pgfeed.spark.similarity import nearest_users, try_out

SAMPLE_SECONDS = 0.2
PARAMETERS = SimilarityParameters(NEIGHBORS, None, 1, PRODUCTS_PER_STEP)
# What the stages are, in their order.
STAGES = ("by_listing", "to_blocks", "products")


class Differs(Exception):
    """The two engines found other neighbors."""


def spark(scale: str, master: str, stages: Stages) -> Iterator[Figure]:
    """Figures of one scale: local engine, Spark as a training starts it, local engine again."""
    with stages.stage(f"making the {scale} world"):
        pairs = pairs_at(scale)

    def figure(name: str, value: float, unit: str, baseline: float | None = None) -> Figure:
        ratio = None if baseline is None else value / baseline
        return Figure(f"spark_{name}", scale, value, unit, baseline, ratio)

    with stages.stage("local engine"):
        local, began = here(pairs)
    with tempfile.TemporaryDirectory(prefix="pgfeed-bench-") as logs:
        ran = on_spark(pairs, master, Path(logs), stages)
    with stages.stage("local engine, again"):
        _, again = here(pairs)
    check(local, ran.found)

    beside = (began[0] + again[0]) / 2
    beside_cpu = (began[1] + again[1]) / 2
    yield figure("users", pairs.n_users, "users")
    yield figure("pairs", ran.pairs, "pairs")
    yield figure("products", ran.products, "products")
    yield figure("blocks", len(ran.found), "blocks")
    yield figure("start_s", ran.start_seconds, "s")
    yield figure("export_s", ran.export_seconds, "s")
    yield figure("similarity_s", ran.seconds, "s", beside)
    yield figure("cpu_s", ran.cpu_seconds, "s", beside_cpu)
    yield figure(
        "product_ns", 1e9 * ran.cpu_seconds / ran.products, "ns", 1e9 * beside_cpu / ran.products
    )
    yield figure("block_product_ns", 1e9 * ran.block_seconds / ran.products, "ns")
    for number, name in enumerate(STAGES):
        of_stage = [task for task in ran.tasks if task.stage == number]
        yield figure(f"{name}_task_s", sum(task.seconds for task in of_stage), "s")
    yield figure("copies_a_pair", ran.copies / ran.pairs, "copies")
    yield figure("exchange_mb", ran.exchange_bytes / 1e6, "MB")
    yield figure("shuffle_mb", sum(task.shuffled for task in ran.tasks) / 1e6, "MB")
    yield figure("shuffle_bytes_a_product", sum(t.shuffled for t in ran.tasks) / ran.products, "B")
    yield figure("memory_mb", ran.processes.total_mb, "MB")
    yield figure("worker_memory_mb", ran.processes.worker_mb, "MB")


def pairs_at(scale: str) -> Pairs:
    """What a training at the end of `pgfeed synth --scale` would read."""
    world = synth.make_world(scale)
    listings = world.listings
    return Pairs(*pairs_of(world), listings.lat, listings.lon, len(world.users))


def here(pairs: Pairs) -> tuple[Neighbors, tuple[float, float]]:
    """The local engine's neighbors, its seconds and processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    shape = (pairs.n_users, pairs.n_listings)
    matrix = interest_matrix(pairs.users, pairs.listings, pairs.interest, shape)
    found = nearest_here(matrix, NEIGHBORS, threads=THREADS, products_per_step=PRODUCTS_PER_STEP)
    return found, (time.perf_counter() - wall, time.process_time() - processor)


@dataclass(frozen=True)
class Task:
    """One of Spark's: which of the STAGES, how long it ran, what it gave to the next."""

    stage: int
    seconds: float
    shuffled: int


@dataclass(frozen=True)
class Ran:
    """A run on Spark."""

    found: list[tuple[np.ndarray, Neighbors]]
    pairs: int
    products: int
    copies: int
    block_seconds: float
    start_seconds: float
    export_seconds: float
    seconds: float
    exchange_bytes: int
    tasks: list[Task]
    cpu_seconds: float
    processes: Processes


class Processes(threading.Thread):
    """Watches the processes that this one has started: Java, and Python where it is local.

    total_mb, worker_mb: the greatest own memory (RssAnon) of all, and of one Python
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.total_mb = self.worker_mb = 0.0
        self._seconds: dict[int, float] = {}
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self.look()

    def look(self) -> float:
        """Takes a sample; returns the processor seconds of all until now."""
        total = 0.0
        for pid, name in descendants(os.getpid()):
            try:
                size = memory_mb(pid)
                self._seconds[pid] = Process(pid).cpu_seconds()
            except (OSError, ValueError, IndexError):
                continue
            total += size
            if name != "java":
                self.worker_mb = max(self.worker_mb, size)
        self.total_mb = max(self.total_mb, total)
        return sum(self._seconds.values())

    def stop(self) -> None:
        self._over.set()
        self.join()


def descendants(pid: int) -> list[tuple[int, str]]:
    """pid and name of every process below this one."""
    children: dict[int, list[tuple[int, str]]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, rest = stat.read_text().rpartition(")")
        except OSError:
            continue
        number, _, name = head.partition(" (")
        children.setdefault(int(rest.split()[1]), []).append((int(number), name))
    found, waiting = [], [pid]
    while waiting:
        some = children.get(waiting.pop(), [])
        found += some
        waiting += [child for child, _ in some]
    return found


def on_spark(pairs: Pairs, master: str, logs: Path, stages: Stages) -> Ran:
    """As `pgfeed train` does it: a session that has just started."""
    settings = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": logs.as_uri(),
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
    }
    processes = Processes()
    processes.start()
    watch = Stages("bench")
    with explained(master), ExitStack() as stack:
        with watch.stage("start Spark"):
            running = stack.enter_context(session(master, settings))
            exchange = stack.enter_context(
                Exchange(running, folder_for(None, f"dbname=bench-{os.getpid()}"))
            )
            try_out(running, exchange)
        began, cpu = time.time(), processes.look() + time.process_time()
        blocks = nearest_users(running, exchange, pairs, PARAMETERS, watch)
        with watch.stage("read"):
            found = list(blocks)
        cpu = processes.look() + time.process_time() - cpu
        names = ("pairs", "products", "seconds")
        rows = running.read.parquet(exchange.uri("found")).select(*names).collect()
        local = Path(exchange.folder)
        exchange_bytes = sum(file.stat().st_size for file in local.rglob("*.parquet"))
    processes.stop()
    seconds = watch.seconds
    return Ran(
        found=found,
        pairs=int(np.count_nonzero(pairs.interest)),
        products=sum(row.products for row in rows),
        copies=sum(row.pairs for row in rows),
        block_seconds=sum(row.seconds for row in rows),
        start_seconds=seconds["start Spark"],
        export_seconds=seconds["export"],
        seconds=seconds["export"] + seconds["similarity"] + seconds["read"],
        exchange_bytes=exchange_bytes,
        tasks=tasks_of(logs, began),
        cpu_seconds=cpu,
        processes=processes,
    )


def tasks_of(logs: Path, began: float) -> list[Task]:
    """The tasks of the one job that has as many stages as STAGES, from Spark's event log."""
    (log,) = logs.iterdir()
    events = [json.loads(line) for line in log.read_text().splitlines()]
    jobs = [
        sorted(event["Stage IDs"])
        for event in events
        if event["Event"] == "SparkListenerJobStart" and event["Submission Time"] >= 1000 * began
    ]
    (numbers,) = [numbers for numbers in jobs if len(numbers) == len(STAGES)]
    return [
        Task(
            numbers.index(event["Stage ID"]),
            event["Task Metrics"]["Executor Run Time"] / 1000,
            event["Task Metrics"]["Shuffle Write Metrics"]["Shuffle Bytes Written"],
        )
        for event in events
        if event["Event"] == "SparkListenerTaskEnd" and event["Stage ID"] in numbers
    ]


def check(local: Neighbors, blocks: list[tuple[np.ndarray, Neighbors]]) -> None:
    """Raises Differs unless both found the same, but for ties."""
    if sum(len(found.rows) for _, found in blocks) != len(local.rows):
        raise Differs("the engines found different numbers of neighbors")
    for users, found in blocks:
        counts = local.starts[users + 1] - local.starts[users]
        if not np.array_equal(counts, np.diff(found.starts)):
            raise Differs("users have different numbers of neighbors")
        places = np.arange(len(found.rows)) + np.repeat(
            local.starts[users] - found.starts[:-1], counts
        )
        similarities = local.similarities[places]
        if np.abs(found.similarities - similarities).max(initial=0) > 1e-5:
            raise Differs("similarities differ by more than 1e-5")
        other = found.rows != local.rows[places]
        # A tie may go either way only among similarities that are as good as the same.
        if np.abs(found.similarities - similarities)[other].max(initial=0) > 1e-6:
            raise Differs("neighbors differ by more than ties")
