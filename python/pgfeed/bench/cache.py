"""The gateway's cache: a hit beside a miss, requests with and without it, memory, and its loss.

`pgfeed bench --only cache`: the gateway is switched over, and Redis is killed.
"""

from __future__ import annotations

import http.client
import itertools
import os
import random
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from pgfeed.bench.client import Answer, Client
from pgfeed.bench.feeds import WANTED, Bench, timed
from pgfeed.bench.figures import Figure, median, percentile
from pgfeed.bench.server import Server
from pgfeed.instance import signed_token

CONNECTIONS = 8
WARM = 200
"""Users whose feeds are asked for one after the other."""
CROWD = 2000
"""Users of the mix: the n-th most eager asks 1/n as often as the first."""
READS_A_WRITE = 9
VIEWED = 500
"""Listings that the users of the mix write about."""
SECONDS = 12
KILLED_AFTER, BACK_AFTER = 2, 5

# wrk asks for one user's feed after the other.
WRK = """
local users = {%s}
local turn = 0
request = function()
    turn = turn %% #users + 1
    return wrk.format("GET", "/api/v1/feed?limit=%d", {Authorization = "Bearer " .. users[turn],
        ["Accept-Encoding"] = "gzip"})
end
"""


def feed(client: Client, user: UUID, **headers: str) -> Answer:
    return client.ask(
        user, "GET", f"/api/v1/feed?limit={WANTED}", **{"Accept-Encoding": "gzip"} | headers
    )


def state_of(answer: Answer) -> str:
    """What the cache says: hit, or why not."""
    return answer.headers.get("Cache-Status", "").removeprefix("pgfeed; ").split(";")[0]


def redis(server: Server, *words: str) -> str:
    socket = server.values["PGFEED_REDIS"].removeprefix("unix:")
    command = ["redis-cli", "-s", socket, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def used_memory(server: Server) -> int:
    return int(re.search(r"used_memory:(\d+)", redis(server, "info", "memory"))[1])


@contextmanager
def switched_on(server: Server) -> Iterator[None]:
    """The gateway with the cache; without it in the end."""
    server.settings["PGFEED_CACHE"] = "on"
    server.bin("up", "--no-deploy")
    try:
        yield
    finally:
        del server.settings["PGFEED_CACHE"]
        server.bin("up", "--no-deploy")


def cache(bench: Bench) -> Iterator[Figure]:
    """Every figure, without the cache and with it."""
    server = bench.server
    with server.connect() as connection:
        rows = connection.execute(
            "select u.user_uid from feed.users as u order by md5(u.user_uid::text) limit %s",
            (CROWD,),
        )
        crowd = [row[0] for row in rows]
        rows = connection.execute(
            "select l.listing_id from feed.listings as l where l.status = 'open'"
            " order by l.listing_no limit %s",
            (VIEWED,),
        )
        bench.notes["viewed"] = [row[0] for row in rows]
    fill(bench)
    without = requests_per_second(bench)
    mix_without = mix(bench, crowd)
    with switched_on(server):
        yield from latency(bench)
        yield from memory(bench)
        with_cache = requests_per_second(bench)
        yield bench.figure(
            "cache_requests_per_s",
            with_cache,
            "requests/s",
            baseline=without,
            ratio=with_cache / without,
        )
        redis(server, "flushall")
        mixed = mix(bench, crowd)
        yield bench.figure("cache_hit_ratio", mixed.hit_ratio, f"of {mixed.reads} reads")
        yield bench.figure(
            "cache_mix_requests_per_s",
            mixed.per_second,
            "requests/s",
            baseline=mix_without.per_second,
            ratio=mixed.per_second / mix_without.per_second,
        )
        yield from killed(bench, crowd)


def fill(bench: Bench) -> None:
    """Asks for everybody's feed of the warm users once."""
    client = Client(bench.server.url, bench.server.secret)
    for user in bench.askers["mix"][:WARM]:
        feed(client, user)


def latency(bench: Bench) -> Iterator[Figure]:
    """One client; each user's feed past the cache and from it, in turns."""
    client = Client(bench.server.url, bench.server.secret)
    users = bench.askers["mix"][:WARM]
    hits, misses = [], []
    with bench.stages.stage("hits and misses", len(users)) as advance:
        for user in users:
            past_it = partial(feed, client, user, **{"Cache-Control": "no-cache"})
            misses.append(timed(past_it)[0])
            # It is stored while the client reads.
            while state_of(feed(client, user)) != "hit":
                time.sleep(0.001)
            for _ in range(3):
                took, answer = timed(partial(feed, client, user))
                if state_of(answer) == "hit":
                    hits.append(took)
            advance(1)
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        ours, baseline = (
            (median(hits), median(misses))
            if share == 0.5
            else (percentile(hits, share), percentile(misses, share))
        )
        yield bench.figure(
            f"cache_hit_ms_{name}", ours, "ms", baseline=baseline, ratio=baseline / ours
        )


def memory(bench: Bench) -> Iterator[Figure]:
    """Of Redis, for a user with one feed of 50; the baseline is the feed as JSON."""
    server = bench.server
    redis(server, "flushall")
    before = used_memory(server)
    fill(bench)
    time.sleep(0.5)
    count = sum(line.startswith("pgfeed:user:") for line in redis(server, "keys", "*").split())
    each = (used_memory(server) - before) / count
    client = Client(server.url, server.secret)
    plain = {"Accept-Encoding": "identity"}
    sizes = [len(feed(client, user, **plain).body) for user in bench.askers["mix"][:WARM]]
    as_json = sum(sizes) / len(sizes)
    yield bench.figure(
        "cache_bytes_per_user", each, "bytes", baseline=as_json, ratio=as_json / each
    )


def requests_per_second(bench: Bench) -> float:
    """wrk with eight connections, the warm users in turns."""
    secret = bench.server.secret
    tokens = [signed_token(secret, str(user)) for user in bench.askers["mix"][:WARM]]
    users = ", ".join(f'"{token}"' for token in tokens)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK % (users, WANTED))
        script.flush()
        with bench.stages.stage("requests on eight connections"):
            load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS // 2}s", "-s", script.name]
            command = [*load, bench.server.url]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
    if "Non-2xx" in done.stdout:
        raise RuntimeError(done.stdout)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])


class Mix:
    """What eight clients have seen."""

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.errors: list[str] = []
        self.writes = 0
        self.seconds = 0.0

    @property
    def reads(self) -> int:
        return self.states.total()

    @property
    def hit_ratio(self) -> float:
        return self.states["hit"] / self.reads

    @property
    def per_second(self) -> float:
        return (self.reads + self.writes) / self.seconds


def mix(
    bench: Bench,
    crowd: list[UUID],
    meanwhile: Callable[[], None] = lambda: time.sleep(SECONDS),
) -> Mix:
    """Feeds and writes, nine to one, of users some of whom come much more often than others.

    A write is a view, and the user's next one takes it back: the world stays as it is.
    """
    seen = Mix()
    weights = list(itertools.accumulate(1 / (place + 1) for place in range(len(crowd))))
    is_over = threading.Event()

    def work(number: int) -> None:
        chance = random.Random(number)
        client = Client(bench.server.url, bench.server.secret)
        events: dict[UUID, str] = {}
        while not is_over.is_set():
            try:
                (user,) = chance.choices(crowd, cum_weights=weights)
                if chance.random() < 1 / (READS_A_WRITE + 1):
                    listing = chance.choice(bench.notes["viewed"])
                    answer = write(client, user, listing, events)
                    seen.writes += 1
                else:
                    answer = feed(client, user)
                    seen.states[state_of(answer)] += 1
                if answer.status != 200:
                    seen.errors.append(f"{answer.status} {answer.body[:200]!r}")
            except (OSError, http.client.HTTPException) as error:
                seen.errors.append(repr(error))
                client = Client(bench.server.url, bench.server.secret)
        for user, event in events.items():
            client.ask(user, "DELETE", f"/api/v1/feed/interactions/{event}")

    started = time.perf_counter()
    with (
        bench.stages.stage("feeds and writes, nine to one"),
        ThreadPoolExecutor(CONNECTIONS) as pool,
    ):
        clients = [pool.submit(work, number) for number in range(CONNECTIONS)]
        try:
            meanwhile()
        finally:
            seen.seconds = time.perf_counter() - started
            is_over.set()
        for client in clients:
            client.result()
    return seen


def write(client: Client, user: UUID, listing: UUID, events: dict[UUID, str]) -> Answer:
    """The user views a listing, or takes back the view that this client has sent before."""
    if user in events:
        return client.ask(user, "DELETE", f"/api/v1/feed/interactions/{events.pop(user)}")
    events[user] = str(uuid4())
    body = {"type": "view", "event_id": events[user]}
    return client.ask(user, "POST", f"/api/v1/feed/interactions/{listing}", body)


def killed(bench: Bench, crowd: list[UUID]) -> Iterator[Figure]:
    """Redis is killed under the mix, and comes back: how many requests failed, of how many."""
    pid_file = Path(bench.server.home / "run/redis.pid")

    def kill() -> None:
        time.sleep(KILLED_AFTER)
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
        time.sleep(BACK_AFTER)
        bench.server.bin("up", "--no-deploy")
        time.sleep(KILLED_AFTER)

    seen = mix(bench, crowd, kill)
    for error in seen.errors[:3]:
        bench.stages.note(error)
    yield bench.figure(
        "cache_killed_errors", len(seen.errors), f"of {seen.reads + seen.writes} requests"
    )
    yield bench.figure("cache_killed_hit_ratio", seen.hit_ratio, f"of {seen.reads} reads")
