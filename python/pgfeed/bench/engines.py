"""The engine in SQL beside that in Python: the same world, the same users, in turns."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgfeed.bench.feeds import KINDS, ROUNDS, Bench, FeedSession, check
from pgfeed.bench.figures import Figure, percentile
from pgfeed.bench.server import Server

DATABASE = "pgfeed_sql_engine"
# Of each kind; of the mix more.
USERS = 20
USERS_OF_MIX = 100


def engines(bench: Bench) -> Iterator[Figure]:
    """Milliseconds of a warm feed: value the engine in SQL, baseline that in Python."""
    everything: tuple[list[float], list[float]] = ([], [])
    processor: list[float] = []
    with (
        copied(bench),
        FeedSession(bench.server, DATABASE) as sql,
        FeedSession(bench.server) as python,
    ):
        for kind in KINDS:
            users = bench.askers[kind][: USERS_OF_MIX if kind == "mix" else USERS]
            ours, theirs = [], []
            with bench.stages.stage(f"both engines: {kind}", len(users)) as advance:
                for user_uid in users:
                    check("the engine in SQL", python.scores(user_uid), sql.scores(user_uid))
                    for _ in range(ROUNDS):
                        before = processor_ms(sql.pid)
                        ours.append(sql.feed(user_uid)[0])
                        processor.append(processor_ms(sql.pid) - before)
                        theirs.append(python.feed(user_uid)[0])
                    advance(1)
            everything[0].extend(ours)
            everything[1].extend(theirs)
            if users:
                yield from figures(bench, f"sql_engine_{kind}", ours, theirs)
    yield from figures(bench, "sql_engine_all", *everything)
    # What others on the machine do not lengthen.
    yield bench.figure("sql_engine_all_processor_p99_ms", percentile(processor, 0.99), "ms")


def figures(bench: Bench, name: str, ours: list[float], theirs: list[float]) -> Iterator[Figure]:
    for suffix, share in (("p50", 0.5), ("p99", 0.99)):
        a, b = percentile(ours, share), percentile(theirs, share)
        yield bench.figure(f"{name}_{suffix}_ms", a, "ms", baseline=b, ratio=a / b)


def processor_ms(pid: int) -> float:
    """How long a process has been on a processor."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


@contextmanager
def copied(bench: Bench) -> Iterator[None]:
    """A copy of the database with the engine in SQL, for as long as it lasts."""
    server = bench.server
    original = server.values["PGDATABASE"]
    with server.connect("postgres") as connection:
        with bench.stages.stage("a copy of the database"):
            connection.execute(f"drop database if exists {DATABASE} with (force)")
            # PostgREST and pg_cron come back by themselves.
            connection.execute(f'alter database "{original}" allow_connections false')
            try:
                connection.execute(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                    " where datname = %s",
                    (original,),
                )
                connection.execute(f'create database {DATABASE} template "{original}"')
            finally:
                connection.execute(f'alter database "{original}" allow_connections true')
        try:
            with bench.stages.stage("the engine in SQL"):
                apply_engine(server)
            yield
        finally:
            connection.execute(f"drop database {DATABASE} with (force)")


def apply_engine(server: Server) -> None:
    values = server.values
    subprocess.run(
        [server.repository / "bin/apply-code"],
        env=os.environ
        | {name: values[name] for name in ("PGHOST", "PGPORT", "PGUSER")}
        | {"PGDATABASE": DATABASE, "PGFEED_ENGINE": "sql"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    with server.connect(DATABASE) as connection:
        connection.execute("vacuum analyze feed.listing_digests")
