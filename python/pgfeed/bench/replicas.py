"""Standbys: reads a second with none, one and two, how late they are, how long writes stop.

All servers are processes of this machine and share its processors: what is measured is what the
standbys cost, not what machines of their own would bring.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg

from pgfeed.bench.client import Client
from pgfeed.bench.feeds import Bench
from pgfeed.bench.figures import Figure, median, percentile
from pgfeed.bench.pooler import pgbouncer, postgrests
from pgfeed.bench.server import Server, memory_mb

STANDBYS = 2
CLIENTS = 8
WRITERS = 8
ROUNDS = 3
SECONDS = 3.0
WARM_UP_SECONDS = 1.5
# PostgRESTs before one database, and the sessions that pgbouncer keeps for all of them.
POSTGRESTS = 3
SESSIONS = 4


def replicas(bench: Bench) -> Iterator[Figure]:
    """Every figure. The standbys are made, and in the end taken away."""
    server, stages = bench.server, bench.stages
    users = users_of(server)
    with server.without_schedule():
        yield from pooling(bench, users)
        with stages.stage("making two standbys"):
            server.settings = {"PGFEED_REPLICAS": str(STANDBYS)}
            server.bin("up", "--no-deploy")
        yield from reads(bench, users)
        yield from lag(bench, users)
    with stages.stage("the same with synchronous commits"):
        server.settings |= {"PGFEED_SYNCHRONOUS": "on"}
        server.bin("up", "--no-deploy")
    yield from failover(bench, users)
    with stages.stage("taking the standbys away"):
        # Back to where it lay before.
        server.bin("promote", "replica0")
        server.settings = {}
        server.bin("up", "--no-deploy")


def users_of(server: Server) -> list[str]:
    with server.connect() as connection:
        rows = connection.execute(
            "select u.user_uid::text from feed.users as u order by md5(u.user_uid::text) limit 200"
        )
        return [row[0] for row in rows]


def at_once(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def reads_a_second(
    urls: list[str], path: str, server: Server, users: list[str], seconds: float
) -> float:
    """Feeds a second of CLIENTS clients."""
    deadline = time.perf_counter() + seconds
    counts = [0] * CLIENTS

    def work(number: int) -> None:
        client = Client(urls[number % len(urls)], server.secret)
        turn = number
        while time.perf_counter() < deadline:
            user = users[turn % len(users)]
            client.read(user, f"{path}?user_uid={user}&limit=50")
            counts[number] += 1
            turn += CLIENTS

    at_once(CLIENTS, work)
    return sum(counts) / seconds


# ---------------------------------------------------------------- reads


def reads(bench: Bench, users: list[str]) -> Iterator[Figure]:
    """In turns. A standby is taken out by stopping its PostgREST for a while."""
    server, stages = bench.server, bench.stages
    found: dict[int, list[float]] = {number: [] for number in range(STANDBYS + 1)}
    with stages.stage("reads with 0, 1 and 2 standbys", ROUNDS * len(found)) as advance:
        for _ in range(ROUNDS):
            for number, values in found.items():
                with only(server, number):
                    reads_a_second([server.url], "/api/v1/feed", server, users, WARM_UP_SECONDS)
                    values.append(
                        reads_a_second([server.url], "/api/v1/feed", server, users, SECONDS)
                    )
                advance(1)
    none = median(found[0])
    for number, values in found.items():
        rest = {"baseline": none, "ratio": median(values) / none} if number else {}
        yield bench.figure(f"replica_reads_per_s_{number}", median(values), "feeds/s", **rest)


@contextmanager
def only(server: Server, number: int) -> Iterator[None]:
    """Has the gateway find only so many standbys."""
    folders = [server.home / f"replica{one + 1}" for one in range(STANDBYS)]
    stopped = [int((one / "run/postgrest.pid").read_text()) for one in folders[number:]]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    wait_for_readers(server, number or 1)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        wait_for_readers(server, STANDBYS)


def wait_for_readers(server: Server, count: int) -> None:
    """Waits until the last answers came from so many servers."""
    client = Client(server.url, server.secret)
    log = server.home / "log/access.log"
    while True:
        for _ in range(10):
            client.ask(str(uuid4()), "GET", "/api/v1/trending?limit=1")
        time.sleep(0.2)
        lines = [json.loads(line) for line in log.read_text().splitlines()[-10:]]
        answered = {line["upstream"] for line in lines}
        if len(answered) == count and not any("," in one for one in answered):
            return


# ---------------------------------------------------------------- lag


def lag(bench: Bench, users: list[str]) -> Iterator[Figure]:
    """From a commit's acknowledgement until a standby shows it, while others write."""
    server, stages = bench.server, bench.stages
    is_over = threading.Event()
    written = [0] * WRITERS
    with server.connect() as connection:
        listings = [
            row[0]
            for row in connection.execute(
                "select l.listing_id::text from feed.listings as l"
                " where l.status = 'open' limit 500"
            )
        ]

    def write(number: int) -> None:
        client = Client(server.url, server.secret)
        turn = number
        while not is_over.is_set():
            path = f"/api/v1/feed/interactions/{listings[turn % len(listings)]}"
            body = {"type": "view", "event_id": str(uuid4())}
            answer = client.ask(users[turn % len(users)], "POST", path, body)
            if answer.status != 200:
                raise RuntimeError(f"HTTP {answer.status}: {answer.body[:200]!r}")
            written[number] += 1
            turn += WRITERS

    samples = []
    writers = threading.Thread(target=at_once, args=(WRITERS, write))
    with (
        stages.stage("lag under writes"),
        server.connect() as primary,
        standby_session(server, 1) as standby,
    ):
        writers.start()
        started = time.perf_counter()
        while time.perf_counter() - started < 2 * SECONDS:
            primary.execute("select pg_logical_emit_message(true, 'bench', 'a commit')")
            committed = time.perf_counter()
            position = primary.execute("select pg_current_wal_flush_lsn()").fetchone()[0]
            while not standby.execute(
                "select pg_last_wal_replay_lsn() >= %s::pg_lsn", (position,)
            ).fetchone()[0]:
                pass
            samples.append((time.perf_counter() - committed) * 1000)
            time.sleep(0.005)
        seconds = time.perf_counter() - started
        is_over.set()
        writers.join()
    yield bench.figure("replica_lag_writes_per_s", sum(written) / seconds, "writes/s")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        yield bench.figure(f"replica_lag_ms_{name}", percentile(samples, share), "ms")


def standby_session(server: Server, number: int) -> psycopg.Connection:
    lines = (server.home / f"replica{number}/data/postmaster.pid").read_text().splitlines()
    return psycopg.connect(
        host=lines[4], port=lines[3], user="postgres", dbname="pgfeed", autocommit=True
    )


# ---------------------------------------------------------------- failover


def failover(bench: Bench, users: list[str]) -> Iterator[Figure]:
    """The primary is killed, and bin/promote called at once."""
    server, stages = bench.server, bench.stages
    with server.connect() as connection:
        listing = connection.execute(
            "select l.listing_id::text from feed.listings as l where l.status = 'open' limit 1"
        ).fetchone()[0]
    is_over, acknowledged, failed = threading.Event(), [], []

    def write() -> None:
        client = Client(server.url, server.secret)
        path = f"/api/v1/feed/interactions/{listing}"
        while not is_over.is_set():
            body = {"type": "view", "event_id": str(uuid4())}
            if client.ask(users[0], "POST", path, body).status == 200:
                acknowledged.append(time.perf_counter())
            else:
                time.sleep(0.01)

    def read() -> None:
        client = Client(server.url, server.secret)
        while not is_over.is_set():
            failed.append(client.ask(users[1], "GET", "/api/v1/feed").status != 200)

    threads = [threading.Thread(target=work) for work in (write, read)]
    with stages.stage("failover"):
        for thread in threads:
            thread.start()
        while len(acknowledged) < 20:
            time.sleep(0.05)
        postmaster = int((server.home / "data/postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGKILL)
        killed_at = time.perf_counter()
        server.bin("promote")
        is_over.set()
        for thread in threads:
            thread.join()
    back_at = next(at for at in acknowledged if at > killed_at + 0.2)
    yield bench.figure("failover_s", back_at - killed_at, "s")
    yield bench.figure("failover_failed_reads", sum(failed), "reads", baseline=len(failed))


# ---------------------------------------------------------------- pgbouncer


def pooling(bench: Bench, users: list[str]) -> Iterator[Figure]:
    """Several PostgRESTs directly and through one pgbouncer, in turns."""
    server, stages = bench.server, bench.stages
    found: dict[bool, list[tuple[float, int, float]]] = {False: [], True: []}
    others = sessions(server)
    values = server.values
    repository, home = server.repository, server.home
    with (
        stages.stage("pgbouncer", 2 * ROUNDS) as advance,
        pgbouncer(repository, home, values, SESSIONS) as folder,
    ):
        for _ in range(ROUNDS):
            for is_pooled, samples in found.items():
                with postgrests(
                    repository, home, POSTGRESTS, folder if is_pooled else None
                ) as urls:
                    reads_a_second(urls, "/rpc/get_feed", server, users, WARM_UP_SECONDS)
                    rate = reads_a_second(urls, "/rpc/get_feed", server, users, SECONDS)
                    pids = sessions(server) - others
                    samples.append((rate, len(pids), sum(memory_mb(pid) for pid in pids)))
                advance(1)
    columns = (("reads_per_s", "feeds/s"), ("sessions", "sessions"), ("memory_mb", "MB"))
    for column, (name, unit) in enumerate(columns):
        ours, baseline = (median([row[column] for row in found[one]]) for one in (True, False))
        yield bench.figure(f"pooled_{name}", ours, unit, baseline=baseline, ratio=ours / baseline)


def sessions(server: Server) -> set[int]:
    """The processes of the sessions of PostgRESTs, that of the gateway among them."""
    with server.connect() as connection:
        rows = connection.execute(
            "select a.pid from pg_stat_activity as a where a.usename = 'authenticator'"
        )
        return {row[0] for row in rows}
