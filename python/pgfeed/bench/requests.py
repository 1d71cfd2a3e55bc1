"""Feeds a second through the gateway, by the number of connections that ask at once.

wrk asks, on the same machine: what it costs is in the figures.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pgfeed.bench.feeds import WANTED, Bench
from pgfeed.bench.figures import Figure
from pgfeed.instance import signed_token

CONNECTIONS = (1, 2, 4, 8, 16)
SCRIPT = Path(__file__).with_suffix(".lua")


def requests(bench: Bench) -> Iterator[Figure]:
    """GET /api/v1/feed for the population mix."""
    with tempfile.NamedTemporaryFile("w", suffix=".requests") as file:
        for user_uid in bench.askers["mix"]:
            token = signed_token(bench.server.secret, str(user_uid))
            file.write(f"/api/v1/feed?user_uid={user_uid}&limit={WANTED} {token}\n")
        file.flush()
        # PostgREST goes round the sessions of its pool: each reads the blocks once.
        ask(bench.server.url, file.name, max(CONNECTIONS), bench.sizes.request_seconds)
        with bench.stages.stage("requests through the gateway", len(CONNECTIONS)) as advance:
            for connections in CONNECTIONS:
                answer = ask(bench.server.url, file.name, connections, bench.sizes.request_seconds)
                yield bench.figure(
                    f"gateway_feeds_per_s_{connections}",
                    answer["requests"] / answer["seconds"],
                    "requests/s",
                )
                for name in ("p50", "p99"):
                    yield bench.figure(f"gateway_feeds_{name}_ms_{connections}", answer[name], "ms")
                advance(1)


def ask(url: str, file: str, connections: int, seconds: int) -> dict[str, float]:
    """What requests.lua prints after so many seconds."""
    done = subprocess.run(
        [
            *("wrk", "--threads", "1", "--connections", str(connections)),
            *("--duration", str(seconds), "--timeout", "60", "--script", str(SCRIPT)),
            *(url, "--", file),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    if answer["errors"]:
        raise RuntimeError(f"wrk saw errors with {connections} connections: {answer}")
    return answer
