"""get_feed by kind of user, and beside its baselines: alternating in one run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row, tuple_row

from pgfeed.bench import kernel, plain
from pgfeed.bench.catalogue import Catalogue
from pgfeed.bench.figures import Figure, median, percentile
from pgfeed.bench.server import Server, memory_mb
from pgfeed.progress import Advance, Stages

WANTED = 50
ROUNDS = 3
FEED = """select * from api.get_feed(user_uid => %s, "limit" => %s)"""
REFERENCE = """
select s.* from feed.score_listings(%s) as s
order by round(s.score::numeric, 9) desc, s.created_at desc, s.listing_id asc
limit %s
"""
# All of them know the same listings; scores differ by rounding, and by the age of a request.
AGREEMENT = 1e-4

KINDS = (
    "mix",
    "dense",
    "sparse",
    "nobody_near",
    "no_location",
    "unlimited",
    "many_seen",
    "many_tags",
    "impersonal",
    "brand_new",
)


class BaselineDiffers(Exception):
    """A baseline does not give the feed's scores, so that its time means nothing."""


@dataclass
class Sizes:
    """How many users of which kind meet which baseline."""

    reference: int
    plain: int
    cold: int = 10
    gateway: int = 40
    requests: int = 100
    ingest_seconds: int = 5
    ingest_rounds: int = 3
    request_seconds: int = 10


@dataclass
class Bench:
    """What every measurement shares."""

    server: Server
    scale: str
    sizes: Sizes
    stages: Stages
    askers: dict[str, list[UUID]]
    catalogue: Catalogue | None
    notes: dict[str, Any] = field(default_factory=dict)

    def figure(self, name: str, value: float, unit: str, **rest: float) -> Figure:
        return Figure(name, self.scale, value, unit, **rest)


class FeedSession:
    """A user's session, as PostgREST has it."""

    def __init__(self, server: Server, database: str = "") -> None:
        self.connection = server.connect(database, row_factory=tuple_row, prepare_threshold=0)
        self.pid = self.connection.info.backend_pid
        self.connection.execute("set role authenticated")

    def __enter__(self) -> FeedSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def become(self, user_uid: UUID) -> None:
        """The claims of the user's token."""
        claims = json.dumps({"role": "authenticated", "sub": str(user_uid)})
        self.connection.execute("select set_config('request.jwt.claims', %s, false)", (claims,))

    def feed(self, user_uid: UUID) -> tuple[float, list[tuple]]:
        """Milliseconds until the rows are here, and the rows of the user's feed."""
        self.become(user_uid)
        took, cursor = timed(lambda: self.connection.execute(FEED, (user_uid, WANTED)))
        return took, cursor.fetchall()

    def scores(self, user_uid: UUID) -> list[float]:
        """The scores of the user's feed."""
        self.become(user_uid)
        cursor = self.connection.execute(FEED, (user_uid, WANTED))
        place = [column.name for column in cursor.description].index("score")
        return [row[place] for row in cursor]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds, and what it returned."""
    started = time.perf_counter()
    result = work()
    return (time.perf_counter() - started) * 1000, result


def paired(
    ours: Callable[[], float], baseline: Callable[[], float], rounds: int
) -> tuple[float, float]:
    """Medians of both, measured in turns: first one first, then the other."""
    a, b = [], []
    for number in range(rounds):
        if number % 2:
            b.append(baseline())
            a.append(ours())
        else:
            a.append(ours())
            b.append(baseline())
    return median(a), median(b)


def check(name: str, ours: list[float], theirs: list[float]) -> None:
    """Both lists of scores are the same."""
    pairs = zip(sorted(ours), sorted(theirs), strict=False)
    if len(ours) != len(theirs) or any(abs(a - b) > AGREEMENT for a, b in pairs):
        raise BaselineDiffers(
            f"{name} gives other scores than get_feed: {theirs[:3]}… of {len(theirs)},"
            f" not {ours[:3]}… of {len(ours)}"
        )


def by_kind(bench: Bench) -> Iterator[Figure]:
    """Percentiles of each kind in a warm session; its memory afterwards."""
    samples: dict[str, list[float]] = {}
    with FeedSession(bench.server) as session:
        total = sum(len(bench.askers[kind]) for kind in KINDS) * (ROUNDS + 1)
        with bench.stages.stage("feeds by kind", total) as advance:
            for kind in KINDS:
                samples[kind] = _rounds(session, bench.askers[kind], advance)
        memory = memory_mb(session.pid)
    for kind in filter(samples.get, KINDS):
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            value = percentile(samples[kind], share)
            yield bench.figure(f"feed_{kind}_{name}_ms", value, "ms")
    unlimited = samples["unlimited"] + samples["no_location"]
    yield bench.figure("feed_no_limit_p99_ms", percentile(unlimited, 0.99), "ms")
    yield bench.figure("backend_memory_mb", memory, "MB")
    bench.notes["mix_p50_ms"] = median(samples["mix"])


def _rounds(session: FeedSession, users: list[UUID], advance: Advance) -> list[float]:
    """Milliseconds of ROUNDS rounds over the users, after one that does not count."""
    samples = []
    for number in range(ROUNDS + 1):
        for user_uid in users:
            took, _ = session.feed(user_uid)
            if number:
                samples.append(took)
            advance(1)
    return samples


def cold(bench: Bench) -> Iterator[Figure]:
    """The first feed of a new session: connecting, importing numpy, reading blocks."""
    for kind in ("mix", "dense"):
        users = bench.askers[kind][: bench.sizes.cold]
        samples = []
        with bench.stages.stage(f"new sessions: {kind}", len(users)) as advance:
            for user_uid in users:
                started = time.perf_counter()
                with FeedSession(bench.server) as session:
                    session.feed(user_uid)
                    samples.append((time.perf_counter() - started) * 1000)
                advance(1)
        yield bench.figure(f"feed_new_session_{kind}_p50_ms", median(samples), "ms")


def against_reference(bench: Bench) -> Iterator[Figure]:
    """score_listings + order + limit, same users of the mix, in turns."""
    users = bench.askers["mix"][: bench.sizes.reference]
    ours, theirs = [], []
    connection = bench.server.connect()
    with (
        connection,
        FeedSession(bench.server) as session,
        bench.stages.stage("feed and reference", len(users)) as advance,
    ):
        for user_uid in users:
            session.feed(user_uid)

            def reference(user_uid: UUID = user_uid) -> psycopg.Cursor:
                return connection.execute(REFERENCE, (user_uid, WANTED))

            before, _ = session.feed(user_uid)
            took, cursor = timed(reference)
            rows = cursor.fetchall()
            # The reference has driven the session's memory out of the processor's cache.
            after, _ = session.feed(user_uid)
            check("score_listings", session.scores(user_uid), [row[-1] for row in rows])
            ours.append(median([before, after]))
            theirs.append(took)
            advance(1)
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        a, b = percentile(ours, share), percentile(theirs, share)
        yield bench.figure(f"feed_vs_reference_{name}", a, "ms", baseline=b, ratio=b / a)


def against_plain_sql(bench: Bench) -> Iterator[Figure]:
    """The best plain-SQL feed, same users, in turns: the mix and dense places."""
    with bench.stages.stage("tables of the plain-SQL feed"), bench.server.connect() as connection:
        plain.set_up(connection)
    for kind, name, count in (
        ("mix", "feed_vs_sql_p50", bench.sizes.plain),
        ("dense", "feed_vs_sql_dense", 20),
    ):
        users = bench.askers[kind][:count]
        ours, theirs = [], []
        connection = bench.server.connect()
        with (
            connection,
            FeedSession(bench.server) as session,
            bench.stages.stage(f"feed and plain SQL: {kind}", len(users)) as advance,
        ):
            baseline = plain.PlainFeed(connection)
            for user_uid in users:
                rows = baseline.best(user_uid, WANTED).fetchall()
                scores = [row["score"] for row in rows]
                check("the plain-SQL feed", session.scores(user_uid), scores)
                a, b = paired(
                    lambda user=user_uid: session.feed(user)[0],
                    lambda user=user_uid, plain=baseline: timed(lambda: plain.best(user, WANTED))[
                        0
                    ],
                    ROUNDS,
                )
                ours.append(a)
                theirs.append(b)
                advance(1)
        a, b = median(ours), median(theirs)
        yield bench.figure(name, a, "ms", baseline=b, ratio=b / a)


def against_kernel(bench: Bench) -> Iterator[Figure]:
    """The bare kernel on arrays in memory, dense users: warm, and with blocks to be read."""
    users = bench.askers["dense"]
    catalogue = bench.catalogue
    warm_ours, warm_kernel, cold_ours, cold_kernel = [], [], [], []
    with bench.server.connect() as connection, FeedSession(bench.server) as session:
        with bench.stages.stage("feed and kernel, warm", len(users)) as advance:
            for user_uid in users:
                facts, as_of = read_facts(connection, catalogue, user_uid)
                _, scores = kernel.best(catalogue, facts, as_of, WANTED)
                check("the kernel", session.scores(user_uid), scores.tolist())
                a, b = paired(
                    lambda user=user_uid: session.feed(user)[0],
                    lambda f=facts, t=as_of: timed(lambda: kernel.best(catalogue, f, t, WANTED))[0],
                    2 * ROUNDS + 1,
                )
                warm_ours.append(a)
                warm_kernel.append(b)
                advance(1)
        chosen = users[: bench.sizes.cold]
        with bench.stages.stage("feed and kernel, cold", len(chosen)) as advance:
            for user_uid in chosen:
                facts, as_of = read_facts(connection, catalogue, user_uid)
                # A session that has answered somebody, but read none of these blocks.
                with FeedSession(bench.server) as fresh:
                    fresh.feed(bench.askers["nobody_near"][0])
                    a, _ = fresh.feed(user_uid)
                b = median(
                    [
                        timed(lambda f=facts, t=as_of: kernel.best(catalogue, f, t, WANTED))[0]
                        for _ in range(ROUNDS)
                    ]
                )
                cold_ours.append(a)
                cold_kernel.append(b)
                advance(1)
    for name, ours, theirs in (
        ("feed_vs_kernel_warm", warm_ours, warm_kernel),
        ("feed_vs_kernel_cold", cold_ours, cold_kernel),
    ):
        a, b = median(ours), median(theirs)
        yield bench.figure(name, a, "ms", baseline=b, ratio=a / b)
    reach = median([reach_of(bench, user_uid) for user_uid in users])
    yield bench.figure("dense_listings_in_reach", reach, "listings")


def read_facts(
    connection: psycopg.Connection, catalogue: Catalogue, user_uid: UUID
) -> tuple[kernel.Facts, float]:
    """What the kernel needs of a user, and the instant that it is true of (seconds)."""
    folder = Path(__file__).parent
    with connection.cursor(row_factory=dict_row) as cursor:
        as_of = cursor.execute("select clock_timestamp() as t").fetchone()["t"]
        profile = cursor.execute((folder / "profile.sql").read_text()).fetchone()
        row = cursor.execute(
            (folder / "asker.sql").read_text(), {"user_uid": user_uid, "as_of": as_of}
        ).fetchone()
    return kernel.facts(catalogue, row | {"profile": profile}), as_of.timestamp()


def reach_of(bench: Bench, user_uid: UUID) -> int:
    """How many open listings are within the user's limit."""
    with bench.server.connect() as connection:
        facts, as_of = read_facts(connection, bench.catalogue, user_uid)
    return bench.catalogue.reach(facts.place, facts.max_distance, as_of)


def cost_a_thousand(bench: Bench) -> float:
    """Milliseconds of a dense user's warm feed for 1,000 listings in reach: the median."""
    costs = []
    with FeedSession(bench.server) as session:
        for user_uid in bench.askers["dense"]:
            took = median([session.feed(user_uid)[0] for _ in range(2 * ROUNDS + 1)][1:])
            costs.append(took / max(reach_of(bench, user_uid), 1) * 1000)
    return median(costs)
