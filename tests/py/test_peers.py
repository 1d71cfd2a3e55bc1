"""To whom the gateway sends what, with servers that answer as the test wants it.

Each stands for a PostgREST with its database; they say where they are in the replication, and count
what else they are asked. So nothing depends on when a real server dies.
"""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from harness import Instance, until
from world import assert_error

MAX_LAG = 2


@dataclass
class Server:
    """What it says of itself, and what becomes of a request: a status, or None for no answer."""

    name: str
    is_primary: bool
    timeline: int = 1
    position: int = 1000
    status: int | None = 200
    is_silent: bool = False
    asked: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path == "/rpc/replication_state":
                    server.questions.append(self.headers["Authorization"])
                    state = {
                        "is_primary": server.is_primary,
                        "timeline": server.timeline,
                        "position": server.position,
                    }
                    self.send(None if server.is_silent else 200, json.dumps(state))
                elif self.path == "/ready":
                    self.send(None if server.is_silent else 200, "")
                else:
                    server.asked.append(self.command)
                    self.send(server.status, json.dumps({"by": server.name}))

            def send(self, status: int | None, body: str) -> None:
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        for method in ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.answer)
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def peer(self) -> str:
        port = self.http.server_port
        return f"127.0.0.1:{port}:{port}"


@pytest.fixture(scope="module")
def servers() -> Iterator[list[Server]]:
    servers = [Server("a", True), Server("b", False), Server("c", False)]
    yield servers
    for server in servers:
        server.http.shutdown()


@pytest.fixture(scope="module")
def peered(test_home: Path, deployed: Path, servers: list[Server]) -> Iterator[Instance]:
    instance = Instance(test_home / "peered").begin_with(deployed)
    instance.settings |= {
        "PGFEED_PEERS": ",".join(server.peer for server in servers),
        "PGFEED_REPLICA_MAX_LAG": str(MAX_LAG),
    }
    try:
        yield instance.up("--no-deploy")
    finally:
        instance.remove()


@dataclass
class Gateway:
    instance: Instance
    client: httpx.Client
    servers: list[Server]

    def send(
        self, method: str = "GET", path: str = "/api/v1/trending", user: str | None = None
    ) -> httpx.Response:
        headers = self.instance.authorization(user or str(uuid.uuid4()))
        sent = {"json": {}} if method in ("POST", "PATCH", "PUT") else {}
        return self.client.request(method, path, headers=headers, **sent)

    def by(self, *arguments: str | None) -> str:
        answer = self.send(*arguments)
        assert answer.status_code == 200, answer.text
        return answer.json()["by"]

    def readers(self, user: str | None = None) -> set[str]:
        return {self.by("GET", "/api/v1/trending", user) for _ in range(8)}


@pytest.fixture
def gateway(peered: Instance, servers: list[Server]) -> Iterator[Gateway]:
    """Everybody is well, and known to be."""
    with peered.client() as client:
        gateway = Gateway(peered, client, servers)
        # A promotion is for ever: each test has a timeline of its own.
        timeline = max(server.timeline for server in servers) + 1
        for server in servers:
            server.is_primary = server.name == "a"
            server.timeline, server.status, server.is_silent = timeline, 200, False
            server.position = servers[0].position
        until(lambda: gateway.readers() == {"b", "c"}, "the standbys read")
        until(lambda: gateway.send("POST", FEEDBACK).is_success, "the primary writes")
        assert gateway.by("POST", FEEDBACK) == "a"
        for server in servers:
            server.asked.clear()
        yield gateway


EVENT = str(uuid.uuid4())
FEEDBACK = f"/api/v1/feed/interactions/{uuid.uuid4()}"
WRITES = (
    ("POST", FEEDBACK),
    ("POST", "/api/v1/feed/interactions"),
    ("POST", "/api/v1/feed/impressions"),
    ("DELETE", f"/api/v1/feed/interactions/{EVENT}"),
    ("PATCH", "/api/v1/preferences"),
    ("POST", "/rest/v1/listings"),
    ("POST", "/rest/v1/rpc/upsert_users"),
    ("PATCH", "/rest/v1/listings?listing_id=eq.1"),
    ("PUT", "/rest/v1/listings?listing_id=eq.1"),
)


@pytest.mark.parametrize("status", [None, 500, 503, 504])
def test_a_write_is_sent_once_whatever_becomes_of_it(gateway: Gateway, status: int | None) -> None:
    for method, path in WRITES:
        # On a connection that was used before, too: a dead one is tried again by itself.
        assert gateway.send(method, path).is_success
        for server in gateway.servers:
            server.asked.clear()
            server.status = status
        assert_error(gateway.send(method, path), 503)
        # A DELETE is a POST behind the gateway.
        sent = "POST" if method == "DELETE" else method
        assert [server.asked for server in gateway.servers] == [[sent], [], []], (method, path)
        gateway.servers[0].status = 200


READS = (("GET", "/api/v1/feed"), ("POST", "/api/v1/feed"), ("GET", "/rest/v1/listings"))


@pytest.mark.parametrize("status", [None, 500, 502, 503, 504])
def test_a_read_is_tried_everywhere(gateway: Gateway, status: int | None) -> None:
    for method, path in READS:
        for server in gateway.servers:
            server.asked.clear()
            server.status = status if server.name != "a" else 200
        assert gateway.by(method, path) == "a"
        assert [len(server.asked) for server in gateway.servers] == [1, 1, 1], (method, path)
        gateway.servers[0].status = status
        assert_error(gateway.send(method, path), 503)


def test_a_feed_that_is_refused_is_asked_for_elsewhere(gateway: Gateway) -> None:
    """PostgREST says 400 to a statement that was cut off; others tell it from a bad request."""
    a, b, c = gateway.servers
    b.status, c.is_silent = 400, True

    def is_alone() -> bool:
        answers = [gateway.send("GET", "/rest/v1/listings") for _ in range(8)]
        return {answer.status_code for answer in answers} == {400}

    until(is_alone, "b alone reads")
    b.asked.clear()
    assert gateway.by("GET", "/api/v1/feed") == "a"
    assert (len(a.asked), len(b.asked)) == (1, 1)
    a.status = 400
    assert gateway.send("GET", "/api/v1/feed").status_code == 400


def test_a_promotion_is_found(gateway: Gateway) -> None:
    a, b, c = gateway.servers
    a.is_silent, a.status = True, None
    # Nobody takes writes, everybody reads.
    assert_error(gateway.send("POST", FEEDBACK), 503)
    assert gateway.readers() == {"b", "c"}
    assert gateway.client.get("/healthz").status_code == 200

    b.is_primary, b.timeline = True, b.timeline + 1
    until(lambda: gateway.send("POST", FEEDBACK).is_success, "somebody writes")
    assert gateway.by("POST", FEEDBACK) == "b"
    c.timeline = b.timeline
    until(lambda: gateway.readers() == {"c"}, "the other standby reads")

    # The former primary comes back, and is asked for nothing, not even to read.
    a.is_silent, a.status = False, 200
    a.asked.clear()
    questions = len(a.questions)
    until(lambda: len(a.questions) > questions + 3, "the gateway has asked it where it is")
    assert {gateway.by("POST", FEEDBACK) for _ in range(5)} == {"b"}
    assert gateway.readers() == {"c"}
    assert a.asked == []


def test_a_standby_of_a_former_primary_is_not_fresh(gateway: Gateway) -> None:
    """Its position may be higher than the new primary's, on a timeline of the past."""
    a, b, c = gateway.servers
    a.is_silent, a.status = True, None
    b.is_primary, b.timeline = True, b.timeline + 1
    c.position = b.position + 10**9
    until(lambda: gateway.send("POST", FEEDBACK).is_success, "b is found")
    user = str(uuid.uuid4())
    assert gateway.by("POST", FEEDBACK, user) == "b"
    until(lambda: gateway.readers() == {"b"}, "c is out")
    assert gateway.readers(user) == {"b"}


def test_nobody_who_calls_himself_primary_is_believed_without_the_timeline(
    gateway: Gateway,
) -> None:
    a, _, c = gateway.servers
    # The primary is gone, a former one is back, and a standby knows of a later timeline.
    a.is_silent, c.is_primary, c.timeline = True, True, c.timeline - 1
    questions = len(c.questions)
    until(lambda: len(c.questions) > questions + 3, "c is asked")
    a.status = None
    assert_error(gateway.send("POST", FEEDBACK), 503)
    assert c.asked == []


def test_a_standby_reads_for_a_writer_once_it_has_replayed(gateway: Gateway) -> None:
    a, b, c = gateway.servers
    writer = str(uuid.uuid4())
    a.position += 100
    b.position += 100
    assert gateway.by("POST", FEEDBACK, writer) == "a"
    assert gateway.by("GET", "/api/v1/trending", writer) == "a"
    # The one that has it; the other for those who wrote nothing.
    until(lambda: gateway.readers(writer) == {"b"}, "b reads for the writer")
    assert gateway.readers() in ({"b", "c"}, {"b"})
    until(lambda: gateway.readers() == {"b"}, "c is late")
    assert gateway.readers(writer) == {"b"}
    c.position = a.position
    until(lambda: gateway.readers(writer) == {"b", "c"}, "both read for the writer")


def test_a_write_that_failed_counts_as_one(gateway: Gateway) -> None:
    """The answer may be lost and the commit there."""
    a = gateway.servers[0]
    writer = str(uuid.uuid4())
    a.position += 100
    a.status = None
    assert_error(gateway.send("POST", FEEDBACK, writer), 503)
    a.status = 200
    assert gateway.by("GET", "/api/v1/trending", writer) == "a"


def test_the_questions_are_of_service_role_and_for_a_minute(gateway: Gateway) -> None:
    import jwt

    bearer = gateway.servers[1].questions[-1].removeprefix("Bearer ")
    claims = jwt.decode(bearer, gateway.instance.secret, algorithms=["HS256"])
    assert claims["role"] == "service_role"
    assert claims["exp"] <= time.time() + 61


def test_a_reload_forgets_nothing(gateway: Gateway) -> None:
    a, b, c = gateway.servers
    a.is_silent = True
    gateway.instance.settings["PGFEED_PEERS"] = ",".join(one.peer for one in (c, a, b))
    gateway.instance.up("--no-deploy")
    assert gateway.by("POST", FEEDBACK) == "a"
    until(lambda: gateway.readers() == {"b", "c"}, "the standbys read")
