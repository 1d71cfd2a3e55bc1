"""What surrounds the feed: the gateway, the other statements, the fold, many connections."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

from pgfeed.bench.client import Client
from pgfeed.bench.feeds import WANTED, Bench, FeedSession, timed
from pgfeed.bench.figures import Figure, median, percentile

CONNECTIONS = 8
WARM_UP = 3


def gateway_feed(client: Client, user_uid: UUID) -> float:
    """Milliseconds of a feed through the gateway."""
    client.token(user_uid)
    path = f"/api/v1/feed?user_uid={user_uid}&limit={WANTED}"
    return timed(lambda: client.read(user_uid, path))[0]


def gateway_overhead(bench: Bench) -> Iterator[Figure]:
    """GET through nginx and PostgREST less get_feed in SQL, same users, in turns.

    One client, one after the other, so that on both sides one session of the database answers:
    PostgREST goes round the sessions of its pool, and whoever goes round ten sessions finds
    the blocks of none in the processor's cache.
    """
    users = bench.askers["mix"][: bench.sizes.gateway]
    everywhere = bench.askers["unlimited"][0]
    client = Client(bench.server.url, bench.server.secret)
    for _ in range(WARM_UP):
        gateway_feed(client, everywhere)
    ours, direct, differences = [], [], []
    with (
        FeedSession(bench.server) as session,
        bench.stages.stage("gateway and SQL", len(users)) as advance,
    ):
        session.feed(everywhere)
        for number, user_uid in enumerate(users):
            gateway_feed(client, user_uid)
            session.feed(user_uid)
            for turn in range(4):
                if (number + turn) % 2:
                    a, b = gateway_feed(client, user_uid), session.feed(user_uid)[0]
                else:
                    b, a = session.feed(user_uid)[0], gateway_feed(client, user_uid)
                ours.append(a)
                direct.append(b)
                differences.append(a - b)
            advance(1)
    # The ratio column has what the goal is about: the difference.
    yield bench.figure(
        "gateway_overhead_ms_p50",
        median(ours),
        "ms",
        baseline=median(direct),
        ratio=median(differences),
    )


def queries(bench: Bench) -> Iterator[Figure]:
    """p99 of each of the other API statements, one transaction each."""
    with FeedSession(bench.server) as session:
        samples = _query_samples(bench, session)
    figures = [
        bench.figure(f"query_{name}_p99_ms", percentile(values, 0.99), "ms")
        for name, values in samples.items()
    ]
    yield from figures
    yield bench.figure("query_p99_ms", max(figure.value for figure in figures), "ms")


def _query_samples(bench: Bench, session: FeedSession) -> dict[str, list[float]]:
    users = bench.askers["mix"][: bench.sizes.requests]
    writers = bench.askers["writer"]
    # listing_id and tags of what the first users see.
    shown = [
        (row[1], row[9])
        for user_uid in bench.askers["mix"][:20]
        for row in session.feed(user_uid)[1][:10]
    ]
    samples: dict[str, list[float]] = {}

    def run(name: str, user_uid: UUID, sql: str, *values: object) -> None:
        session.become(user_uid)
        took, _ = timed(lambda: session.connection.execute(sql, values))
        samples.setdefault(name, []).append(took)

    with bench.stages.stage("other statements", len(users)) as advance:
        for number, user_uid in enumerate(users):
            listing, tags = shown[number % len(shown)]
            writer = writers[number % len(writers)]
            event = uuid4()
            run("explain", user_uid, "select api.explain_listing(%s)", listing)
            run(
                "track",
                writer,
                "select api.track_interaction(listing_id => %s, type => 'view', event_id => %s)",
                listing,
                event,
            )
            run("retract", writer, "select api.retract_interaction(%s)", event)
            run("preferences", user_uid, "select * from api.preferences")
            run(
                "set_preferences",
                writer,
                "update api.preferences set max_distance = %s returning *",
                20 + number % 5,
            )
            run(
                "my_listings",
                user_uid,
                "select * from api.my_listings order by last_at desc limit 50",
            )
            run(
                "my_interactions",
                user_uid,
                'select * from api.my_interactions order by "timestamp" desc limit 50',
            )
            run("trending", user_uid, "select * from api.trending limit 50")
            run(
                "trending_with_tags",
                user_uid,
                "select * from api.trending where tags && %s limit 50",
                tags[:2],
            )
            run("listing", user_uid, "select * from api.listings where listing_id = %s", listing)
            advance(1)
    # The first of each plans and reads what others find in memory.
    return {name: values[WARM_UP:] or values for name, values in samples.items()}


def many_connections(bench: Bench) -> Iterator[Figure]:
    """Feeds a second of the mix with one connection and with eight."""
    users = bench.askers["mix"]
    for connections in (1, CONNECTIONS):
        sessions = [FeedSession(bench.server) for _ in range(connections)]
        for session in sessions:
            session.feed(bench.askers["unlimited"][0])
        total = 2 * bench.sizes.requests
        with bench.stages.stage(f"feeds on {connections} connections", total) as advance:
            seconds, samples = _work(sessions, users, total, advance)
        for session in sessions:
            session.connection.close()
        yield bench.figure(f"feed_throughput_{connections}", total / seconds, "feeds/s")
        if connections > 1:
            for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
                value = percentile(samples, share)
                yield bench.figure(f"feed_{connections}_connections_{name}_ms", value, "ms")


def _work(
    sessions: list[FeedSession], users: list[UUID], total: int, advance: Callable[[float], None]
) -> tuple[float, list[float]]:
    """Seconds for `total` feeds on all sessions at once, and the milliseconds of each."""
    samples: list[float] = []

    def work(number: int) -> None:
        for turn in range(number, total, len(sessions)):
            samples.append(sessions[number].feed(users[turn % len(users)])[0])
            advance(1)

    started = time.perf_counter()
    with ThreadPoolExecutor(len(sessions)) as pool:
        list(pool.map(work, range(len(sessions))))
    return time.perf_counter() - started, samples


def fold(bench: Bench) -> Iterator[Figure]:
    """Folding after 1 % of all listings changed, in every part of the world, readers at work."""
    users = bench.askers["mix"]
    with bench.server.connect() as connection, FeedSession(bench.server) as session:
        for user_uid in users[:20]:
            session.feed(user_uid)
        before = [session.feed(user_uid)[0] for user_uid in users[:20]]
        changed = 0
        seconds: dict[str, float] = {}
        for state, remainder in (("with readers", 7), ("alone", 57)):
            with bench.stages.stage("changing 1 % of the listings"):
                changed = connection.execute(
                    "update feed.listings set expires_at ="
                    " coalesce(expires_at, now() + interval '1 year') + interval '1 second'"
                    " where listing_no %% 100 = %s",
                    (remainder,),
                ).rowcount
            if state == "alone":
                with bench.stages.stage("fold alone"):
                    seconds[state] = (
                        timed(
                            lambda: connection.execute(
                                "select * from feed.fold_changes()"
                            ).fetchall()
                        )[0]
                        / 1000
                    )
                continue
            session.feed(users[0])
            beside = [session.feed(user_uid)[0] for user_uid in users[:20]]
            with bench.stages.stage("fold with readers at work"):
                seconds[state], during = _fold_with_readers(bench)
    yield bench.figure("fold_1pct_changes", changed, "listings")
    yield bench.figure(
        "fold_1pct_s",
        seconds["with readers"],
        "s",
        baseline=seconds["alone"],
        ratio=seconds["with readers"] / seconds["alone"],
    )
    yield bench.figure("feed_during_fold_p50_ms", median(during), "ms", baseline=median(before))
    yield bench.figure("feed_during_fold_p99_ms", percentile(during, 0.99), "ms")
    yield bench.figure(
        "feed_beside_changes_p50_ms",
        median(beside),
        "ms",
        baseline=median(before),
        ratio=median(beside) / median(before),
    )


def _fold_with_readers(bench: Bench) -> tuple[float, list[float]]:
    """Seconds of a fold, and milliseconds of the feeds of two readers meanwhile."""
    users = bench.askers["mix"]
    is_over = threading.Event()
    samples: list[float] = []

    def read(first: int) -> None:
        with FeedSession(bench.server) as session:
            session.feed(users[first])
            is_ready.wait()
            # Bounded: a fold that hangs does not make readers read for ever.
            for turn in range(first, first + 5000):
                samples.append(session.feed(users[turn % len(users)])[0])
                if is_over.is_set():
                    return

    is_ready = threading.Barrier(3)
    with ThreadPoolExecutor(2) as pool, bench.server.connect() as connection:
        readers = [pool.submit(read, first) for first in (0, len(users) // 2)]
        is_ready.wait()
        took, _ = timed(lambda: connection.execute("select * from feed.fold_changes()").fetchall())
        is_over.set()
        for reader in readers:
            reader.result()
    return took / 1000, samples
