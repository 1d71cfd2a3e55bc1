"""The gateway: the user's paths, what it refuses, and that every error says what to do."""

import contextlib
import json
import os
import re
import signal
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import psycopg
import pytest

from harness import Instance

USER = uuid.UUID("0a000000-0000-4000-8000-000000000001")
POSTER = uuid.UUID("0a000000-0000-4000-8000-000000000002")
LISTINGS = [uuid.UUID(f"0a000000-0000-4000-8000-0000000001{number:02x}") for number in range(60)]
TYPE = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Caller:
    """Somebody with a token, and the gateway."""

    client: httpx.Client
    headers: dict[str, str]

    def request(self, method: str, path: str, **options: object) -> httpx.Response:
        headers = self.headers | options.pop("headers", {})
        return self.client.request(method, path, headers=headers, **options)

    def get(self, path: str, **options: object) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: object) -> httpx.Response:
        return self.request("POST", path, **options)


@pytest.fixture(scope="module")
def user(quiet: None, instance: Instance, gateway: httpx.Client) -> Caller:
    """A user in front of sixty listings, and no others."""
    service = Caller(gateway, instance.authorization(role="service_role"))
    people = [{"user_uid": str(USER), "lat": 47.37, "lon": 8.54}, {"user_uid": str(POSTER)}]
    listings = [
        {
            "listing_id": str(listing_id),
            "poster_uid": str(POSTER),
            "title": f"Listing {number}",
            "tags": ["gateway"],
            "lat": 47.3,
            "lon": 8.5,
        }
        for number, listing_id in enumerate(LISTINGS)
    ]
    calls = (("upsert_users", {"users": people}), ("upsert_listings", {"listings": listings}))
    for call, body in calls:
        answer = service.post(f"/rest/v1/rpc/{call}", json=body)
        assert answer.status_code == 200, answer.text
    return Caller(gateway, instance.authorization(USER))


def assert_explained(answer: httpx.Response, status: int, code: str | None = None) -> dict:
    """An error is JSON with a code, a message and a hint."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    assert set(body) == {"code", "message", "details", "hint"}
    assert body["code"] and body["message"] and body["hint"]
    assert code is None or body["code"] == code
    return body


def exchange(instance: Instance, request: bytes) -> tuple[bytes, bytes]:
    """Head and body of the answer to whatever is sent; the gateway is to close the connection."""
    host, port = instance.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        answer = b""
        # What was not read of a request that is too long ends the connection hard.
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
            while chunk := connection.recv(65536):
                answer += chunk
    head, body = answer.split(b"\r\n\r\n", 1)
    return head, body


def raw_status(instance: Instance, path: str, headers: dict[str, str]) -> int:
    """The status of a GET sent by hand: clients tidy paths up, and refuse long ones."""
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head, body = exchange(instance, ("\r\n".join(lines) + "\r\n\r\n").encode())
    assert b"application/json" in head
    assert b'"hint":"' in body
    return int(head.split(b" ")[1])


# ---------------------------------------------------------------- the feed and its limit


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("", 50),
        (f"?user_uid={USER}", 50),
        ("?limit=1", 1),
        ("?limit=51", 51),
        ("?limit=200", 60),
        (f"?user_uid={USER}&limit=7&select=rank,title", 7),
        ("?select=rank&offset=58", 2),
        ("?order=rank.desc&limit=3", 3),
    ],
)
def test_feed_has_as_many_rows_as_asked(user: Caller, query: str, rows: int) -> None:
    answer = user.get(f"/api/v1/feed{query}")
    assert answer.status_code == 200, answer.text
    assert len(answer.json()) == rows


def test_feed_by_post(user: Caller) -> None:
    answer = user.post("/api/v1/feed", json={"user_uid": str(USER), "limit": 3})
    assert [row["rank"] for row in answer.json()] == [1, 2, 3]


BAD_LIMITS = [
    "limit=0",
    "limit=201",
    "limit=-1",
    "limit=ten",
    "limit=",
    "limit",
    "limit=1e2",
    "limit=5.0",
    "limit=+5",
    "limit=%205",
    "limit=%35",
    "limit=5%00",
    "limit=99999999999999999999",
    "limit=5&limit=300",
    "limit=300&limit=5",
    "limit=5;limit=300",
    "select=rank;limit=300",
    "limit=5&%6cimit=300",
    "%6Cimit=300",
    "l%69%6D%69t=300",
    "limit=5&limit",
]


@pytest.mark.parametrize("path", ["/api/v1/feed", "/rest/v1/rpc/get_feed"])
@pytest.mark.parametrize("query", BAD_LIMITS)
def test_bad_limit_is_refused(user: Caller, path: str, query: str) -> None:
    answer = user.get(f"{path}?{query}")
    body = assert_explained(answer, 400, "PT400")
    assert body["message"] == "limit must be an integer from 1 to 200"


@pytest.mark.parametrize("limit", [0, 201, -1, "ten", None, 1.5])
def test_bad_limit_in_a_body_is_refused(user: Caller, limit: object) -> None:
    assert_explained(user.post("/api/v1/feed", json={"limit": limit}), 400)


@pytest.mark.parametrize(
    "path",
    [
        "/rest//v1/rpc/get_feed",
        "/rest/v1/rpc/%67et_feed",
        "/rest/v1/x/../rpc/get_feed",
        "/rest/v1//rpc/get_feed",
        "/api/v1/%66eed",
    ],
)
def test_no_spelling_of_the_path_gets_round_the_limit(
    instance: Instance, user: Caller, path: str
) -> None:
    headers = {"Authorization": user.headers["Authorization"]}
    assert raw_status(instance, f"{path}?limit=300", headers) == 400


@pytest.mark.parametrize(
    "query",
    ["user_uid=x", "user_uid=", "user_uid", f"user_uid={USER}x", f"user_uid={USER}&user_uid=x"],
)
def test_bad_user_uid_is_refused(user: Caller, query: str) -> None:
    body = assert_explained(user.get(f"/api/v1/feed?{query}"), 400, "PT400")
    assert "user_uid" in body["message"]


def test_thousand_exclusions_in_a_query(user: Caller) -> None:
    excluded = LISTINGS[:57] + [uuid.uuid4() for _ in range(943)]
    exclude = "{" + ",".join(str(listing_id) for listing_id in excluded) + "}"
    answer = user.get("/api/v1/feed", params={"exclude": exclude, "limit": 20})
    assert answer.status_code == 200, answer.text
    assert {row["listing_id"] for row in answer.json()} == {str(i) for i in LISTINGS[57:]}


def test_thousand_ids_in_a_filter(user: Caller) -> None:
    wanted = LISTINGS[:3] + [uuid.uuid4() for _ in range(997)]
    ids = ",".join(str(listing_id) for listing_id in wanted)
    answer = user.get("/rest/v1/listings", params={"listing_id": f"in.({ids})"})
    assert answer.status_code == 200, answer.text
    assert {row["listing_id"] for row in answer.json()} == {str(i) for i in LISTINGS[:3]}
    for title in ("東京" * 2_500, "a" * 45_000, "%" * 15_000):
        answer = user.get("/rest/v1/listings", params={"title": f"eq.{title}"})
        assert answer.status_code == 200, answer.text


# ---------------------------------------------------------------- interactions


def test_interaction_by_path(user: Caller, db: psycopg.Connection) -> None:
    listing_id = LISTINGS[0]
    answer = user.post(f"/api/v1/feed/interactions/{listing_id}", json={"type": "click"})
    assert answer.status_code == 200, answer.text
    query = "select listing_id, type::text from feed.user_interactions where user_uid = %s"
    assert (listing_id, "click") in db.execute(query, (USER,)).fetchall()


def test_client_cannot_send_the_listing_header(user: Caller, db: psycopg.Connection) -> None:
    """The path's id travels as X-Listing-Id: only the gateway may write it."""
    path, smuggled = LISTINGS[1], LISTINGS[2]
    headers = {"X-Listing-Id": str(smuggled), "x_listing_id": str(smuggled)}
    answer = user.post(f"/api/v1/feed/interactions/{path}", json={"type": "share"}, headers=headers)
    assert answer.status_code == 200, answer.text
    answer = user.post("/rest/v1/rpc/track_interaction", json={"type": "share"}, headers=headers)
    assert_explained(answer, 400)
    query = "select listing_id from feed.user_interactions where user_uid = %s and type = 'share'"
    assert db.execute(query, (USER,)).fetchall() == [(path,)]


def test_dismissal_and_undo(user: Caller) -> None:
    """What I dismiss is gone from the next feed, and back when I take it back."""
    listing_id, event_id = str(LISTINGS[3]), str(uuid.uuid4())

    def is_in_feed() -> bool:
        rows = user.get("/api/v1/feed?limit=200").json()
        return listing_id in {row["listing_id"] for row in rows}

    assert is_in_feed()
    body = {"type": "dismiss", "event_id": event_id}
    answer = user.post(f"/api/v1/feed/interactions/{listing_id}", json=body)
    assert answer.status_code == 200, answer.text
    assert not is_in_feed()
    answer = user.request("DELETE", f"/api/v1/feed/interactions/{event_id}")
    assert answer.status_code == 200, answer.text
    assert is_in_feed()


def test_batch(user: Caller) -> None:
    events = [{"listing_id": str(LISTINGS[4]), "type": "view"}]
    answer = user.post("/api/v1/feed/interactions", json={"events": events})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("end", ["x", "", "123", f"{LISTINGS[0]}/x", f"{LISTINGS[0]}0"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_malformed_id_in_the_path(user: Caller, method: str, end: str) -> None:
    answer = user.request(method, f"/api/v1/feed/interactions/{end}")
    assert_explained(answer, 400, "PT400")


def test_unknown_listing(user: Caller) -> None:
    answer = user.post(f"/api/v1/feed/interactions/{uuid.uuid4()}", json={"type": "view"})
    assert_explained(answer, 404)


# ---------------------------------------------------------------- the other paths


@pytest.mark.parametrize("prefix", ["/api/v1/feed", "/api/v1"])
def test_explain(user: Caller, prefix: str) -> None:
    listing_id = str(LISTINGS[5])
    answer = user.get(f"{prefix}/explain/{listing_id}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["listing_id"] == listing_id
    other = user.get(f"{prefix}/explain/{listing_id}?listing_id={LISTINGS[6]}")
    assert other.json()["listing_id"] == listing_id
    assert_explained(user.get(f"{prefix}/explain/x"), 400, "PT400")


@pytest.mark.parametrize("prefix", ["/api/v1/feed", "/api/v1"])
def test_preferences(user: Caller, prefix: str) -> None:
    path = f"{prefix}/preferences"
    answer = user.request("PATCH", path, json={"max_distance": 30})
    assert answer.status_code in {200, 204}, answer.text
    assert user.get(path).json()[0]["max_distance"] == 30
    answer = user.request("PATCH", path, json={"max_distance": -1})
    assert_explained(answer, 400)
    assert user.get(path).json()[0]["max_distance"] == 30


@pytest.mark.parametrize("prefix", ["/api/v1/feed", "/api/v1"])
def test_trending_is_for_everybody(gateway: httpx.Client, prefix: str) -> None:
    answer = gateway.get(f"{prefix}/trending")
    assert answer.status_code == 200, answer.text
    assert isinstance(answer.json(), list)


def test_rest_root_describes_the_calls(instance: Instance, user: Caller) -> None:
    for path in ("/rest/v1", "/rest/v1/"):
        page = user.get(path).json()
        assert "/rpc/get_feed" in page["paths"]
        assert page["basePath"] == "/rest/v1"
        assert page["host"] == instance.url.removeprefix("http://")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("relation", ["feed.users", "unheard_of", "listings2"])
def test_writing_to_what_is_not_there(user: Caller, method: str, relation: str) -> None:
    answer = user.request(method, f"/rest/v1/{relation}?listing_id=eq.1", json={"title": "x"})
    assert_explained(answer, 404)


def test_paging_headers_pass(user: Caller) -> None:
    headers = {"Range": "0-4", "Prefer": "count=exact"}
    answer = user.get("/rest/v1/listings?poster_uid=eq." + str(POSTER), headers=headers)
    assert answer.status_code == 206
    assert answer.headers["content-range"] == "0-4/60"
    assert len(answer.json()) == 5


def test_schema_public_is_ours(gateway: httpx.Client) -> None:
    """Supabase's clients ask for public unless they are told otherwise."""
    answer = gateway.get("/rest/v1/trending", headers={"Accept-Profile": "public"})
    assert answer.status_code == 200
    answer = gateway.get("/rest/v1/trending", headers={"Accept-Profile": "feed"})
    assert_explained(answer, 406)


def test_health(gateway: httpx.Client) -> None:
    answer = gateway.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nothing",
        "/api/",
        "/nothing",
        "/_ready",
        "/rest/v1/rpc/get_feed/x",
        "/rest/v1/a/b",
        "/rest/v1/rpc/no_such_call",
        "/rest/v1/no_such_view",
    ],
)
def test_unknown_path(gateway: httpx.Client, path: str) -> None:
    assert_explained(gateway.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/feed", "GET, HEAD, POST, OPTIONS"),
        ("PUT", "/api/v1/feed", "GET, HEAD, POST, OPTIONS"),
        ("GET", "/api/v1/feed/interactions", "POST, OPTIONS"),
        ("GET", f"/api/v1/feed/interactions/{LISTINGS[0]}", "POST, DELETE, OPTIONS"),
        ("POST", "/api/v1/feed/trending", "GET, HEAD, OPTIONS"),
        ("POST", "/api/v1/preferences", "GET, HEAD, PATCH, OPTIONS"),
        ("POST", f"/api/v1/explain/{LISTINGS[0]}", "GET, HEAD, OPTIONS"),
    ],
)
def test_wrong_method(user: Caller, method: str, path: str, allowed: str) -> None:
    answer = user.request(method, path)
    body = assert_explained(answer, 405, "PT405")
    assert answer.headers["allow"] == allowed
    assert allowed in body["hint"]


# ---------------------------------------------------------------- errors


def test_null_hints_are_filled(user: Caller, rest: httpx.Client) -> None:
    request = {"content": "{bad", "headers": TYPE | user.headers}
    bare = rest.post("/rpc/track_interaction", **request)
    assert bare.json()["hint"] is None
    filled = user.post("/rest/v1/rpc/track_interaction", **request)
    body = assert_explained(filled, 400)
    assert body["message"] == bare.json()["message"]


def test_success_is_passed_on_untouched(user: Caller, rest: httpx.Client) -> None:
    """A null hint in a result is the result's."""
    query = f"listings?select=hint:image_url,listing_id&poster_uid=eq.{POSTER}&order=listing_id"
    direct = rest.get(f"/{query}", headers=user.headers)
    assert b'"hint":null' in direct.content
    assert user.get(f"/rest/v1/{query}").content == direct.content


@pytest.mark.parametrize("token", ["x.y.z", "x"])
def test_bad_token(gateway: httpx.Client, token: str) -> None:
    answer = gateway.get("/api/v1/feed", headers={"Authorization": f"Bearer {token}"})
    assert_explained(answer, 401)


def test_no_token(gateway: httpx.Client) -> None:
    assert_explained(gateway.get("/api/v1/feed"), 401)


def test_somebody_else(user: Caller) -> None:
    assert_explained(user.get(f"/api/v1/feed?user_uid={POSTER}"), 403)


def test_large_body(user: Caller) -> None:
    body = json.dumps({"events": ["x" * 1_100_000]})
    answer = user.post("/api/v1/feed/interactions", content=body, headers=TYPE)
    assert_explained(answer, 413, "PT413")


def test_long_address(instance: Instance) -> None:
    assert raw_status(instance, "/api/v1/feed?select=" + "a" * 70_000, {}) == 414
    assert raw_status(instance, "/api/v1/feed", {"X-Long": "a" * 70_000}) == 414


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"hello there\r\n\r\n", 400),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03 a TLS hello\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.x\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\n\r\n", 400),
        (b"GET /api/v1/feed HTTP/1.1\r\n\r\n", 400),
        (b"GET /api/v1/feed HTTP/1.0\r\n\r\n", 400),
        (b"GET /api/v1/feed HTTP/1.1\r\nHost: \r\n\r\n", 400),
        (b"GET /api/v1/feed HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        (b"GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /../x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /%ff HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"\xff" * 70_000 + b"\r\nHost: x\r\n\r\n", 414),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_request_is_told_so(instance: Instance, request_: bytes, status: int) -> None:
    head, body = exchange(instance, request_)
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nContent-Type: application/json" in head
    error = json.loads(body)
    assert set(error) == {"code", "message", "details", "hint"}
    assert error["code"] == f"PT{status}"
    assert error["message"] and error["hint"]


def test_a_health_check_need_not_name_a_host(instance: Instance) -> None:
    assert exchange(instance, b"GET /healthz HTTP/1.0\r\n\r\n")[0].startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "bytes_", ["%ff", "%c3%28", "%C0%AF", "%ed%a0%80", "%f4%90%80%80", "%e4%bd", "%80", "%f8%88"]
)
def test_what_is_not_utf8_is_bad_input(instance: Instance, user: Caller, bytes_: str) -> None:
    """PostgREST says 500 to it, which would be "try again" for ever."""
    for path in (
        f"/rest/v1/listings?title=eq.{bytes_}",
        f"/rest/v1/listings?{bytes_}=eq.1",
        f"/api/v1/feed?select={bytes_}",
        f"/rest/v1/{bytes_}",
        f"/index.html?{bytes_}",
    ):
        assert raw_status(instance, path, {}) == 400
    raw = bytes.fromhex(bytes_.replace("%", "")) if "(" not in bytes_ else b"\xc3("
    for header in ("Prefer", "Accept", "Range", "Origin", "Accept-Profile"):
        answer = user.get("/rest/v1/listings?limit=1", headers={header: raw})
        assert_explained(answer, 400, "PT400")
    for header in ("User-Agent", "Cookie", "Referer", "Accept-Language"):
        assert user.get("/rest/v1/listings?limit=1", headers={header: raw}).status_code == 200


def test_what_is_utf8_passes(user: Caller) -> None:
    for title in ("Zürich", "東京", "😀", "a%zz", "100%", "\u07ff\ud7ff\uffff", "\U0010ffff"):
        answer = user.get("/rest/v1/listings", params={"title": f"eq.{title}"})
        assert answer.status_code == 200, (title, answer.text)


@pytest.mark.parametrize("type_", ["text/csv", "application/x-www-form-urlencoded; charset=x"])
def test_only_json_is_taken(user: Caller, type_: str) -> None:
    headers = {"Content-Type": type_}
    for path in ("/rest/v1/listings", "/api/v1/feed", "/rest/v1/rpc/track_interaction"):
        answer = user.post(path, content=b"title\n\xff\n", headers=headers)
        assert_explained(answer, 415, "PT415")


@pytest.fixture
def failing_calls(instance: Instance) -> Iterator[None]:
    """Calls that take too long or fail inside, as no call of ours should."""
    with instance.connect() as connection:
        connection.execute(
            """
            create function api.test_broken() returns integer language plpgsql as $$
            begin
                raise sqlstate 'XX000' using message = 'a secret of the inside';
            end;
            $$;
            create function api.test_timed_out() returns integer language plpgsql as $$
            begin
                raise sqlstate '57014' using message = 'canceling statement';
            end;
            $$;
            grant execute on function api.test_broken(), api.test_timed_out() to anon;
            notify pgrst, 'reload schema';
            """
        )
        wait_for_call(instance, "test_timed_out")
        yield
        connection.execute(
            """
            drop function api.test_broken();
            drop function api.test_timed_out();
            notify pgrst, 'reload schema';
            """
        )


def wait_for_call(instance: Instance, name: str) -> None:
    """PostgREST reads the schema a moment after it is told to."""
    with instance.client() as client:
        for _ in range(50):
            if client.post(f"/rest/v1/rpc/{name}").status_code != 404:
                return
            time.sleep(0.1)
    raise AssertionError(f"PostgREST does not see {name}")


@pytest.mark.usefixtures("failing_calls")
@pytest.mark.parametrize("call", ["test_timed_out", "test_broken"])
def test_too_slow_and_broken_are_503(gateway: httpx.Client, call: str) -> None:
    answer = gateway.post(f"/rest/v1/rpc/{call}")
    assert_explained(answer, 503, "PT503")
    assert answer.headers["retry-after"] == "2"
    assert "secret" not in answer.text


def test_statement_timeout_is_503(instance: Instance, user: Caller, db: psycopg.Connection) -> None:
    """A real one: the listings are locked for longer than a request may take."""
    db.execute("alter role authenticated set statement_timeout = '300ms'")
    db.execute("notify pgrst, 'reload config'")
    time.sleep(0.5)
    try:
        with instance.connect(autocommit=False) as blocker:
            blocker.execute("lock table feed.listings in access exclusive mode")
            answer = user.get("/api/v1/feed")
        assert_explained(answer, 503, "PT503")
    finally:
        db.execute("alter role authenticated set statement_timeout = '10s'")
        db.execute("notify pgrst, 'reload config'")
        time.sleep(0.5)
    assert user.get("/api/v1/feed").status_code == 200


# ---------------------------------------------------------------- headers and logs


def test_security_headers(user: Caller) -> None:
    for path in ("/api/v1/feed", "/api/v1/nothing", "/api/v1/"):
        answer = user.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["server"] == "nginx"


def test_answers_are_compressed(user: Caller) -> None:
    answer = user.get("/api/v1/feed", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.json()) == 50


@pytest.mark.parametrize("path", ["/api/v1/feed", "/api/v1/feed?limit=0", "/api/v1/nothing"])
def test_browsers_of_other_origins_may_read(user: Caller, path: str) -> None:
    answer = user.get(path, headers={"Origin": "http://example.org"})
    assert answer.headers.get_list("access-control-allow-origin") == ["*"]


def test_preflight(gateway: httpx.Client) -> None:
    headers = {"Origin": "http://example.org", "Access-Control-Request-Method": "POST"}
    answer = gateway.options(f"/api/v1/feed/interactions/{LISTINGS[0]}", headers=headers)
    assert answer.status_code == 200
    assert "POST" in answer.headers["access-control-allow-methods"]


def test_logs_hold_no_token(instance: Instance, user: Caller) -> None:
    """Neither the header's nor one that a client has put into the address."""
    signature = user.headers["Authorization"].rsplit(".", 1)[1]
    user.get("/api/v1/feed?apikey=hidden-in-the-query")
    user.post("/api/v1/feed", json={"limit": 0})
    user.get("/api/v1/feed", headers={"Authorization": user.headers["Authorization"] + "x"})
    time.sleep(0.2)
    for log in (instance.home / "log").iterdir():
        text = log.read_text(errors="replace")
        assert signature not in text, log
        assert "hidden-in-the-query" not in text, log


def test_access_log_is_json(instance: Instance, user: Caller) -> None:
    user.get("/healthz")
    user.post(f"/api/v1/feed/interactions/{LISTINGS[0]}", json={"type": "view"})
    user.get("/api/v1/feed?limit=3")
    time.sleep(0.2)
    lines = (instance.home / "log/access.log").read_text().splitlines()
    routes = [json.loads(line)["route"] for line in lines[-3:]]
    assert routes == ["health", "interaction", "feed"]
    entry = json.loads(lines[-1])
    assert entry["method"] == "GET"
    assert entry["uri"] == "/api/v1/feed"
    assert entry["route"] == "feed"
    assert entry["status"] == 200
    assert 0 <= entry["upstream_time"] <= entry["request_time"] + 0.01
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", entry["time"])


# ---------------------------------------------------------------- what is behind it is down


def assert_unavailable(instance: Instance) -> None:
    """Says so on every path, and tells nothing about the inside."""
    with instance.client() as client:
        for path in ("/api/v1/feed/trending", "/rest/v1/", "/healthz"):
            answer = client.get(path)
            assert_explained(answer, 503, "PT503")
            assert answer.headers.get_list("retry-after") == ["2"]
            assert str(instance.home) not in answer.text
        # By way of another location.
        undo = client.delete(
            f"/api/v1/feed/interactions/{USER}", headers=instance.authorization(USER)
        )
        assert_explained(undo, 503, "PT503")


@pytest.mark.slow
def test_what_is_behind_it_is_down(fresh_instance: Callable[..., Instance]) -> None:
    """First PostgREST, then the database; after bin/up all is well again."""
    broken = fresh_instance()
    for server in ("postgrest", "postgres"):
        os.kill(broken.pid(server), signal.SIGKILL)
        time.sleep(0.5)
        assert_unavailable(broken)
        broken.up()
        with broken.client() as client:
            assert client.get("/healthz").status_code == 200
            assert client.get("/api/v1/feed/trending").status_code == 200
