"""A whole run: the instance, its world, who asks, and every part in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click

from pgfeed.bench import cache, engines, feeds, ingest, replicas, requests, service, training
from pgfeed.bench.catalogue import read_catalogue
from pgfeed.bench.feeds import Bench, Sizes
from pgfeed.bench.figures import Figure
from pgfeed.bench.server import Server, make_world
from pgfeed.bench.users import askers
from pgfeed.progress import Stages

SIZES = {
    "tiny": Sizes(
        reference=3,
        plain=5,
        cold=2,
        gateway=5,
        requests=10,
        ingest_seconds=1,
        ingest_rounds=1,
        request_seconds=1,
    ),
    "small": Sizes(reference=12, plain=40),
    "medium": Sizes(reference=6, plain=20),
}

PARTS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "kinds": feeds.by_kind,
    "cold": feeds.cold,
    "kernel": feeds.against_kernel,
    "gateway": service.gateway_overhead,
    "queries": service.queries,
    "connections": service.many_connections,
    "requests": requests.requests,
    "fold": service.fold,
    "ingest": ingest.ingest,
    "train": training.train,
    # Last: what they read and make drives everything else out of memory.
    "reference": feeds.against_reference,
    "sql": feeds.against_plain_sql,
}

# Not of every run: they switch the instance over, and back.
ON_REQUEST: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "engines": engines.engines,
    "cache": cache.cache,
}
# These kill servers as well, and with them whoever keeps the schedule from running.
LAST: dict[str, Callable[[Bench], Iterator[Figure]]] = {"replicas": replicas.replicas}

# Parts that ask no feeds: by themselves they need not wait for the choice of users.
WITHOUT_USERS = {"train", "replicas"}


def measure(
    repository: Path,
    homes: Path,
    scale: str,
    home: Path | None,
    rebuild: bool,
    only: tuple[str, ...],
    stages: Stages,
) -> Iterator[Figure]:
    """The figures of a scale, as they come."""
    known = (*PARTS, *ON_REQUEST, *LAST, "growth")
    unknown = set(only) - set(known)
    if unknown:
        raise click.ClickException(
            f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(known)}"
        )
    server = Server(repository, home or homes / f"bench-{scale}")
    start(server, scale, is_own=home is None, rebuild=rebuild, stages=stages)
    with server.without_schedule():
        if only and set(only) <= WITHOUT_USERS:
            bench = Bench(server, scale, SIZES.get(scale, SIZES["small"]), stages, {}, None)
        else:
            bench = prepare(server, scale, stages)
        for name, part in PARTS.items():
            if not only or name in only:
                yield from part(bench)
        for name, part in ON_REQUEST.items():
            if name in only:
                yield from part(bench)
        small = Server(repository, homes / "bench-small")
        if scale == "medium" and (not only or "growth" in only) and (small.home / "env").exists():
            yield from growth(bench, small)
    for name, part in LAST.items():
        if name in only:
            yield from part(bench)


def start(server: Server, scale: str, is_own: bool, rebuild: bool, stages: Stages) -> None:
    """The servers, and a world in the database. An instance of somebody else keeps its code."""
    if is_own and rebuild and server.home.exists():
        with stages.stage("removing the former instance"):
            server.remove()
    server.bin("up", *([] if is_own else ["--no-deploy"]))
    if is_own:
        make_world(server, scale)
    elif not server.has_world():
        raise click.ClickException(f"{server.home} has no trained world")


def prepare(server: Server, scale: str, stages: Stages) -> Bench:
    """Everything folded, the open listings in memory, the users chosen."""
    with stages.stage("reading the listings"), server.connect() as connection:
        connection.execute("select * from feed.fold_changes()")
        catalogue = read_catalogue(connection)
    with stages.stage("choosing users"), server.connect() as connection:
        chosen = askers(connection, catalogue)
        connection.execute("analyze feed.user_listing_states")
    return Bench(server, scale, SIZES.get(scale, SIZES["small"]), stages, chosen, catalogue)


def growth(bench: Bench, small: Server) -> Iterator[Figure]:
    """The cost of 1,000 candidates here over the same in the small world, in turns."""
    small.bin("up", "--no-deploy")
    with small.without_schedule():
        other = prepare(small, "small", bench.stages)
        with bench.stages.stage("cost of 1,000 candidates, medium and small", 2) as advance:
            a, b = [], []
            for _ in range(2):
                a.append(feeds.cost_a_thousand(bench))
                b.append(feeds.cost_a_thousand(other))
                advance(1)
    ours, baseline = min(a), min(b)
    yield bench.figure(
        "feed_cost_growth", ours, "ms/1000", baseline=baseline, ratio=ours / baseline
    )
