"""The daily training and the updates between, in the server: time, memory, how soon they stop."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from pgfeed.bench.feeds import Bench, timed
from pgfeed.bench.figures import Figure, median
from pgfeed.bench.server import memory_mb
from pgfeed.outside import OutsideDatabase
from pgfeed.reading import read_eligible_users, read_histories, read_settings
from pgfeed.similarity import interest_matrix, nearest_users
from pgfeed.training import Advance, Stopwatch
from pgfeed.training import train as train_model

SAMPLE_SECONDS = 0.05
NEWCOMERS = 1000
# Each side of the comparison with the bare call.
ROUNDS = 3
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

LISTING_NOS = "select array_agg(l.listing_no order by l.listing_no) as nos from feed.listings as l"
SOME_USERS = """
select array_agg(v.user_no) from (
    select v.user_no from ml.user_vectors as v
    inner join ml.current_model using (model_id)
    order by hashint4(v.user_no), v.user_no
    limit %s
) as v
"""


class Process:
    """A server process, watched from beside."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak_own_mb = 0.0
        self._stop = threading.Event()

    def cpu_seconds(self) -> float:
        """Of user and system, of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Takes samples of its own memory (RssAnon) meanwhile."""

        def sample() -> None:
            while not self._stop.wait(SAMPLE_SECONDS):
                self.peak_own_mb = max(self.peak_own_mb, memory_mb(self.pid))

        watcher = threading.Thread(target=sample)
        watcher.start()
        try:
            yield
        finally:
            self._stop.set()
            watcher.join()


def train(bench: Bench) -> Iterator[Figure]:
    """All lines of the training."""
    yield from whole(bench)
    yield from newcomers(bench)
    yield from against_bare(bench)
    yield from stopping(bench)


def whole(bench: Bench) -> Iterator[Figure]:
    """The daily training in a new session: seconds by stage, processor seconds, peak memory."""
    with bench.server.connect() as connection, bench.stages.stage("training"):
        process = Process(connection.info.backend_pid)
        with process.watched():
            took, cursor = timed(lambda: connection.execute("call ml.train('now', null, null)"))
        details = cursor.fetchone()[1]
        cpu, resident = process.cpu_seconds(), memory_mb(process.pid, "VmHWM")
    yield bench.figure("train_models_s", took / 1000, "s")
    yield bench.figure("train_cpu_s", cpu, "s")
    yield bench.figure("train_peak_memory_mb", process.peak_own_mb, "MB")
    # With all that it touched of shared_buffers, which is there once for all sessions.
    yield bench.figure("train_peak_resident_mb", resident, "MB")
    for name, seconds in details["seconds"].items():
        yield bench.figure(f"train_{name.replace(' ', '_')}_s", seconds, "s")


def newcomers(bench: Bench) -> Iterator[Figure]:
    """jobs.update_models, when the model has lost some users: they are as new to it."""
    with bench.server.connect() as connection, bench.stages.stage("updating"):
        (users,) = connection.execute(SOME_USERS, (NEWCOMERS,)).fetchone()
        for relation in ("user_vectors", "user_neighbors"):
            connection.execute(f"delete from ml.{relation} where user_no = any(%s)", (users,))
        process = Process(connection.info.backend_pid)
        began = process.cpu_seconds()
        took, cursor = timed(lambda: connection.execute("call ml.update('now', null, null)"))
        written = cursor.fetchone()[1]["users"]
        yield bench.figure("update_models_users", written, "users")
        yield bench.figure("update_models_s", took / 1000, "s")
        yield bench.figure("update_models_cpu_s", process.cpu_seconds() - began, "s")
        took, _ = timed(lambda: connection.execute("call ml.update('now', null, null)"))
        yield bench.figure("update_models_idle_s", took / 1000, "s")


def against_bare(bench: Bench) -> Iterator[Figure]:
    """The similarity stage beside one call of sparse_dot_topn on the same matrix."""
    with bench.stages.stage("reading the matrix"):
        matrix, count, threads, products = read_matrix(bench)
    with bench.stages.stage("similarity, in turns with the bare call", ROUNDS) as advance:
        ours, bare = in_turns(matrix, count, threads, products, ROUNDS, lambda: advance(1))
    yield bench.figure(
        "similarity_vs_bare",
        ours["seconds"],
        "s",
        baseline=bare["seconds"],
        ratio=ours["seconds"] / bare["seconds"],
    )
    yield bench.figure(
        "similarity_cpu_vs_bare",
        ours["cpu_seconds"],
        "s",
        baseline=bare["cpu_seconds"],
        ratio=ours["cpu_seconds"] / bare["cpu_seconds"],
    )


def read_matrix(bench: Bench) -> tuple[sparse.csr_matrix, int, int, int]:
    """The matrix that a training would make now; neighbors, threads and products a step."""
    database = OutsideDatabase(bench.server.connect(autocommit=False))
    with database.connection:
        settings = read_settings(database, "now")
        users = read_eligible_users(database)
        (found,) = database.rows(LISTING_NOS)
        listings = np.array(found["nos"], dtype="i4")
        histories = read_histories(database, settings, users, listings)
    matrix = interest_matrix(
        histories.users, histories.listings, histories.interest, (len(users), len(listings))
    )
    return matrix, settings.neighbor_count, settings.thread_count, settings.products_per_step


def in_turns(
    matrix: sparse.csr_matrix,
    count: int,
    threads: int,
    products_per_step: int,
    rounds: int,
    advance: Callable[[], object],
) -> tuple[dict[str, float], dict[str, float]]:
    """Medians of our stage, with all its steps, and of the one bare call, transposed before."""
    from sparse_dot_topn import sp_matmul_topn

    transposed = matrix.T.tocsr()
    sides: tuple[Callable[[], Any], ...] = (
        lambda: nearest_users(matrix, count, threads=threads, products_per_step=products_per_step),
        lambda: sp_matmul_topn(
            matrix, transposed, count, threshold=0.0, sort=True, n_threads=threads
        ),
    )
    walls: list[list[float]] = [[], []]
    processors: list[list[float]] = [[], []]
    for number in range(rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            wall, processor = time.perf_counter(), time.process_time()
            sides[side]()
            walls[side].append(time.perf_counter() - wall)
            processors[side].append(time.process_time() - processor)
        advance()
    ours, bare = (
        {"seconds": median(wall), "cpu_seconds": median(processor)}
        for wall, processor in zip(walls, processors, strict=True)
    )
    return ours, bare


class Watched(OutsideDatabase):
    """A session that knows how long Python worked without coming back to it.

    A statement heeds a cancel request at once; Python only at its next statement. So the
    longest time between two is how long a training may take to stop.
    """

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.longest = self.longest_cpu = 0.0
        self._left_at, self._left_cpu = time.perf_counter(), time.process_time()

    def rows(self, *arguments: Any) -> Any:
        with self._statement():
            return super().rows(*arguments)

    def run(self, *arguments: Any) -> int:
        with self._statement():
            return super().run(*arguments)

    def copy(self, *arguments: Any) -> None:
        with self._statement():
            super().copy(*arguments)

    def commit(self) -> None:
        with self._statement():
            super().commit()

    def tick(self) -> None:
        with self._statement():
            pass

    @contextmanager
    def _statement(self) -> Iterator[None]:
        self.longest = max(self.longest, time.perf_counter() - self._left_at)
        self.longest_cpu = max(self.longest_cpu, time.process_time() - self._left_cpu)
        yield
        self._left_at, self._left_cpu = time.perf_counter(), time.process_time()


class WatchedStages(Stopwatch):
    """The longest time without a statement, by stage."""

    def __init__(self, database: Watched) -> None:
        super().__init__()
        self.database = database
        self.longest: dict[str, float] = {}
        self.longest_cpu: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, total: float | None = None) -> Iterator[Advance]:
        self.database.tick()
        self.database.longest = self.database.longest_cpu = 0.0
        with super().stage(name, total) as advance:
            yield advance
        self.database.tick()
        self.longest[name] = self.database.longest
        self.longest_cpu[name] = self.database.longest_cpu


def stopping(bench: Bench) -> Iterator[Figure]:
    """The longest time for which a training does not heed a cancel request, by stage."""
    database = Watched(bench.server.connect(autocommit=False))
    stages = WatchedStages(database)
    with database.connection, bench.stages.stage("training, looking for pauses"):
        train_model(database, "now", stages)
    for name, seconds in stages.longest.items():
        stage = name.replace(" ", "_")
        yield bench.figure(f"train_pause_{stage}_s", seconds, "s")
        yield bench.figure(f"train_pause_{stage}_cpu_s", stages.longest_cpu[name], "s")
    yield bench.figure("train_longest_pause_s", max(stages.longest.values()), "s")
    # Of all threads: on a machine that does something else, the wall clock says too much.
    yield bench.figure("train_longest_pause_cpu_s", max(stages.longest_cpu.values()), "s")
