"""Limits: how often, how large and how long; and that repeating oneself moves no ranking."""

import re
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest

from harness import REPOSITORY, Instance
from world import Town, assert_error

pytestmark = pytest.mark.usefixtures("quiet")

# As bin/up has them where nobody says otherwise; bursts are twice as much.
DEFAULTS = {"tokens": 50, "addresses": 500}
LOW = {"PGFEED_TOKEN_RATE": "1", "PGFEED_ADDRESS_RATE": "2"}
AT_ONCE = {"PGFEED_CLIENT_REQUESTS": "2"}
TOKEN_BURST, ADDRESS_BURST = 2, 4


# ---------------------------------------------------------------------- how often


@pytest.fixture(scope="class")
def low_limits(instance: Instance) -> Iterator[None]:
    former = dict(instance.settings)
    instance.settings.update(LOW)
    instance.up("--no-deploy")
    yield
    instance.settings.update(former)
    instance.up("--no-deploy")


@pytest.fixture
def from_address(instance: Instance) -> Iterator[Callable[[str], httpx.Client]]:
    """Clients that ask from another address of this machine."""
    clients: list[httpx.Client] = []

    def client(address: str) -> httpx.Client:
        transport = httpx.HTTPTransport(local_address=address)
        clients.append(httpx.Client(base_url=instance.url, transport=transport, timeout=60))
        return clients[-1]

    yield client
    for opened in clients:
        opened.close()


def ask_until_refused(
    client: httpx.Client, headers: Callable[[], dict], path: str = "/api/v1/trending"
) -> tuple[int, httpx.Response]:
    """How many requests in a row were let through, and the answer to the one after."""
    for number in range(200):
        answer = client.get(path, headers=headers())
        if answer.status_code == 429:
            return number, answer
    raise AssertionError("200 requests in a row were let through")


def assert_too_many(answer: httpx.Response) -> None:
    assert_error(answer, 429, code="PT429", says="too many requests")
    assert answer.headers.get_list("retry-after") == ["1"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.usefixtures("low_limits")
class TestHowOften:
    """With limits that a test can reach, each test from addresses of its own."""

    def test_a_token_has_its_share(self, instance: Instance, from_address: Callable) -> None:
        """From whatever address; another's is another, and Retry-After is no lie."""
        ann, bob = (instance.authorization(uuid.uuid4()) for _ in range(2))
        client = from_address("127.0.0.11")
        let_through, refused = ask_until_refused(client, lambda: ann)
        assert let_through > TOKEN_BURST
        assert_too_many(refused)
        assert client.get("/api/v1/trending", headers=bob).status_code == 200
        elsewhere = from_address("127.0.0.12")
        assert ask_until_refused(elsewhere, lambda: ann)[0] <= TOKEN_BURST
        # The last letter of a signature has bits that mean nothing.
        variants = [{"Authorization": ann["Authorization"][:-1] + letter} for letter in "ABCD"]
        answers = [elsewhere.get("/api/v1/trending", headers=ann).status_code] + [
            elsewhere.get("/api/v1/trending", headers=variant).status_code for variant in variants
        ]
        assert answers.count(429) >= 3
        time.sleep(1.1)
        assert client.get("/api/v1/trending", headers=ann).status_code == 200

    @pytest.mark.parametrize("kind", ["no token", "good tokens", "forged tokens"])
    def test_an_address_has_its_share(
        self, instance: Instance, from_address: Callable, kind: str
    ) -> None:
        """However many tokens it has; other addresses are not concerned."""
        tokens = {
            "no token": dict,
            "good tokens": lambda: instance.authorization(uuid.uuid4()),
            "forged tokens": lambda: {"Authorization": f"Bearer x.y.{uuid.uuid4().hex}"},
        }
        ours = from_address(f"127.0.0.{20 + len(kind)}")
        let_through, refused = ask_until_refused(ours, tokens[kind])
        assert let_through > ADDRESS_BURST
        assert_too_many(refused)
        assert from_address("127.0.0.19").get("/api/v1/trending").status_code == 200

    def test_every_path_is_limited_but_health(self, from_address: Callable) -> None:
        client = from_address("127.0.0.13")
        # But for what is refused at first sight, and costs nothing.
        for path in ("/", "/nothing", "/rest/v1/", "/rest/v1/listings", "/api/v1/feed"):
            assert_too_many(ask_until_refused(client, dict, path)[1])
        watching = [client.get("/healthz").status_code for _ in range(5 * ADDRESS_BURST)]
        assert set(watching) == {200}

    def test_what_is_refused_is_not_done(
        self, instance: Instance, from_address: Callable, db: psycopg.Connection
    ) -> None:
        """As many interactions are recorded as were acknowledged."""
        user = str(uuid.uuid4())
        query = "insert into feed.listings (title) values ('x') returning listing_id"
        (listing,) = db.execute(query).fetchone()
        client, headers = from_address("127.0.0.14"), instance.authorization(user)
        statuses = [
            client.post(
                f"/api/v1/feed/interactions/{listing}", json={"type": "view"}, headers=headers
            ).status_code
            for _ in range(6 * TOKEN_BURST)
        ]
        assert set(statuses) == {200, 429}
        query = "select count(*) from feed.user_interactions where user_uid = %s"
        assert db.execute(query, (user,)).fetchone() == (statuses.count(200),)


@pytest.fixture
def two_at_once(instance: Instance) -> Iterator[None]:
    former = dict(instance.settings)
    instance.settings.update(AT_ONCE)
    instance.up("--no-deploy")
    yield
    instance.settings.update(former)
    instance.up("--no-deploy")


@pytest.mark.usefixtures("two_at_once")
def test_nobody_has_all_sessions(instance: Instance, from_address: Callable) -> None:
    """While all requests are slow: each client has two of them, and the third is told so."""
    ann, bob = (instance.authorization(uuid.uuid4()) for _ in range(2))
    here, elsewhere = from_address("127.0.0.15"), from_address("127.0.0.16")
    # What is no token is none, and a token is the same one from everywhere.
    nobody = [{}, {"Authorization": "Basic YW5uOnNlY3JldA=="}, {"Authorization": "Bearer"}]
    clients = {
        "ann": [(here, ann), (elsewhere, ann), (here, ann)],
        "bob": [(here, bob), (here, bob), (elsewhere, bob)],
        "nobody here": [(here, headers) for headers in nobody],
    }
    with ThreadPoolExecutor(9) as pool, instance.connect(autocommit=False) as blocker:
        blocker.execute("lock table feed.listings in access exclusive mode")
        answers = {
            name: [
                pool.submit(client.get, "/rest/v1/listings?limit=1", headers=headers)
                for client, headers in requests
            ]
            for name, requests in clients.items()
        }
        for requests in answers.values():
            # The one of three that does not wait for the lock.
            refused, waiting = wait(requests, timeout=4, return_when=FIRST_COMPLETED)
            assert (len(refused), len(waiting)) == (1, 2)
            assert_too_many(refused.pop().result())
        assert here.get("/healthz").status_code == 200
        blocker.rollback()
        for requests in answers.values():
            statuses = sorted(request.result().status_code for request in requests)
            assert statuses == [200, 200, 429]


def test_the_rates_without_settings_are_those_in_the_documents(instance: Instance) -> None:
    former = dict(instance.settings)
    instance.settings.clear()
    try:
        instance.up("--no-deploy")
        text = (instance.home / "conf/nginx.conf").read_text()
    finally:
        instance.settings.update(former)
        instance.up("--no-deploy")
    rates = dict(re.findall(r"zone=(\w+):10m rate=(\d+)r/s", text))
    bursts = dict(re.findall(r"limit_req zone=(\w+) burst=(\d+) nodelay", text))
    assert "limit_conn clients 6;" in text
    page = (REPOSITORY / "docs/clients/gateway.md").read_text()
    for zone, rate in DEFAULTS.items():
        assert (int(rates[zone]), int(bursts[zone])) == (rate, 2 * rate)
        assert f"{rate} requests a second" in page
    assert "more than 6 requests under" in page


@pytest.mark.parametrize("rate", ["0", "5r/s"])
def test_a_rate_is_a_number(instance: Instance, rate: str) -> None:
    former = dict(instance.settings)
    instance.settings["PGFEED_TOKEN_RATE"] = rate
    try:
        done = instance.bin("up", "--no-deploy", check=False)
    finally:
        instance.settings.update(former)
    assert done.returncode != 0
    assert "PGFEED_TOKEN_RATE" in done.stderr
    with instance.client() as client:
        assert client.get("/healthz").status_code == 200


# ---------------------------------------------------------------------- how large


def test_a_body_that_does_not_say_its_size(here: Town) -> None:
    chunks = (b"x" * 65536 for _ in range(20))
    headers = {"Content-Type": "application/json"}
    answer = here.call(str(uuid.uuid4()), "POST", "/api/v1/feed", content=chunks, headers=headers)
    assert_error(answer, 413, code="PT413")


@pytest.mark.parametrize("size", [9_000, 55_000, 70_000])
@pytest.mark.parametrize("header", ["X-Long", "Accept-Profile", "Cookie"])
def test_long_headers(here: Town, size: int, header: str) -> None:
    """What PostgREST would not read is refused as what nginx would not read."""
    answer = here.call(None, "GET", "/api/v1/trending", headers={header: "a" * size})
    if size < 50_000:
        assert answer.status_code in {200, 406}
    else:
        assert_error(answer, 414, code="PT414")


def test_long_headers_together(here: Town) -> None:
    headers = {f"X-Long-{number}": "a" * 6_000 for number in range(9)}
    assert_error(here.call(None, "GET", "/api/v1/trending", headers=headers), 414, code="PT414")
    # A body is no header, however long.
    body = {"exclude": [str(uuid.uuid4()) for _ in range(1000)], "limit": 1}
    answer = here.call(here.user(), "POST", "/api/v1/feed", json=body | {"user_uid": None})
    assert answer.status_code == 200, answer.text
    events = [{"listing_id": here.listing(), "type": "view", "metadata": {"x": "y" * 4000}}] * 20
    here.send(here.user(), "/api/v1/feed/interactions", events=events)


def test_nobody_takes_a_whole_table(here: Town, db: psycopg.Connection) -> None:
    poster = here.some_poster
    db.execute(
        "insert into feed.listings (poster_uid, title, status)"
        " select %s, 'Listing ' || n, 'closed' from generate_series(1, 1100) as n",
        (poster,),
    )
    path = f"/rest/v1/listings?poster_uid=eq.{poster}&select=listing_id&order=listing_id"
    first = here.call(None, "GET", path, headers={"Prefer": "count=exact"})
    assert first.headers["content-range"] == "0-999/1100"
    second = here.call(None, "GET", f"{path}&offset=1000")
    assert len({row["listing_id"] for row in first.json() + second.json()}) == 1100
    assert len(here.call(None, "GET", f"{path}&limit=5000").json()) == 1000


# ---------------------------------------------------------------------- how long


@pytest.fixture
def timeout_call(instance: Instance, db: psycopg.Connection) -> Iterator[str]:
    """A call that tells how long it may take."""
    db.execute(
        """
        create function api.test_timeout() returns text language sql stable
        return current_setting('statement_timeout');
        grant execute on function api.test_timeout() to anon, authenticated, service_role;
        create view analytics.test_timeout as
            select current_setting('statement_timeout') as timeout;
        grant select on analytics.test_timeout to feed_analyst;
        notify pgrst, 'reload schema';
        """
    )
    path = "/rest/v1/rpc/test_timeout"
    with instance.client() as client:
        for _ in range(100):
            if client.get(path).status_code != 404:
                break
            time.sleep(0.05)
        yield path
    db.execute("drop function api.test_timeout(); drop view analytics.test_timeout")
    db.execute("notify pgrst, 'reload schema'")


def test_a_request_has_its_roles_time(here: Town, timeout_call: str) -> None:
    """Given up after that, it is a 503: test_gateway.py."""
    for caller, timeout in ((None, "5s"), (str(uuid.uuid4()), "10s"), ("service_role", "25s")):
        assert here.ask(caller, timeout_call) == timeout
    headers = here.instance.authorization(role="feed_analyst")
    answer = here.call(None, "GET", "/api/v1/analytics/test_timeout", headers=headers)
    assert answer.json() == [{"timeout": "15s"}]


def test_an_analyst_who_logs_in_has_time(instance: Instance) -> None:
    with instance.connect(user="feed_analyst") as connection:
        assert connection.execute("show statement_timeout").fetchone() == ("5min",)


def test_a_users_own_data_have_more_time(
    here: Town, instance: Instance, db: psycopg.Connection
) -> None:
    """What a user's calls may take is no measure for all that is held about one."""
    user = here.user()
    here.track(user, here.listing(), "view")
    calls = ("get_feed", "export_my_data", "delete_my_data")
    db.execute("alter role authenticated set statement_timeout = '300ms'")
    db.execute("notify pgrst, 'reload config'")
    try:
        time.sleep(0.5)
        with ThreadPoolExecutor(3) as pool, instance.connect(autocommit=False) as blocker:
            blocker.execute("lock table feed.users in access exclusive mode")
            feed, *own = (
                pool.submit(here.call, user, "POST", f"/rest/v1/rpc/{call}", json={})
                for call in calls
            )
            assert_error(feed.result(timeout=30), 503, code="PT503")
            # They began with it: by now they have waited as long, too.
            time.sleep(0.5)
            blocker.rollback()
            assert [call.result(timeout=30).status_code for call in own] == [200, 200]
    finally:
        db.execute("alter role authenticated set statement_timeout = '10s'")
        db.execute("notify pgrst, 'reload config'")
        time.sleep(0.5)


def test_a_forgotten_transaction_ends(instance: Instance) -> None:
    for user, timeout in (("authenticator", "30s"), ("feed_analyst", "1min")):
        with instance.connect(user=user) as connection:
            query = "show idle_in_transaction_session_timeout"
            assert connection.execute(query).fetchone() == (timeout,)
    with instance.connect(user="authenticator", autocommit=False) as connection:
        connection.execute("set idle_in_transaction_session_timeout = '50ms'")
        time.sleep(0.3)
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            connection.execute("select 1")


# ---------------------------------------------------------------------- what moves a ranking


class Ranking:
    """What an observer sees at one moment, and what is stored of a listing."""

    def __init__(self, here: Town, db: psycopg.Connection) -> None:
        self.here, self.db = here, db
        self.observer = here.user(preferred_tags=["tent"])
        fans = [here.user() for _ in range(3)]
        self.poster = here.poster()
        self.target, self.rival, *others = here.listings(
            {"title": f"Tent {n}", "tags": ["tent"], "km": 2, "poster_uid": self.poster}
            for n in range(5)
        )
        # Neck and neck: a single application more would change places.
        for listing in (self.target, self.rival):
            for fan in fans:
                here.track(fan, listing, "apply")
        here.track(fans[0], self.rival, "click")
        here.track(fans[0], others[0], "save")
        self.as_of = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()

    def seen(self) -> list[dict]:
        """After the hourly job, at the same moment each time, so that only deeds can matter."""
        self.db.execute("call jobs.refresh_engagement()")
        rows = self.here.ask(
            "service_role", "/api/v1/feed", user_uid=self.observer, as_of=self.as_of, limit=200
        )
        return [row | {"ticket": None, "description": None} for row in rows]

    def counted(self) -> list[tuple]:
        return self.db.execute(
            """
            select
                m.listing_id, m.view_count, m.click_count, m.apply_count, m.save_count,
                m.share_count, m.dismiss_count, m.engagement_score
            from feed.engagement_metrics as m
            inner join feed.listings as l using (listing_id)
            where l.poster_uid = %s
            order by m.listing_id
            """,
            (self.poster,),
        ).fetchall()

    def trending(self) -> list[str]:
        """Every score falls with time, each by the same factor."""
        self.db.execute("call jobs.refresh_trending()")
        rows = self.here.ask(None, "/api/v1/trending", poster_uid=f"eq.{self.poster}")
        return [row["listing_id"] for row in rows]

    def log_size(self) -> int:
        return self.db.execute("select count(*) from feed.user_interactions").fetchone()[0]


@pytest.fixture
def ranking(here: Town, db: psycopg.Connection) -> Ranking:
    return Ranking(here, db)


def test_the_ranking_is_one_that_can_move(ranking: Ranking) -> None:
    """One user's first application does change places; else the tests below prove nothing."""
    before, trending = ranking.seen(), ranking.trending()
    assert [row["listing_id"] for row in before[:2]] == [ranking.rival, ranking.target]
    ranking.here.track(ranking.here.user(), ranking.target, "apply")
    after = ranking.seen()
    assert [row["listing_id"] for row in after[:2]] == [ranking.target, ranking.rival]
    assert ranking.trending() != trending


@pytest.mark.parametrize("type", ["view", "click", "share", "save", "apply", "dismiss"])
def test_a_user_who_repeats_moves_nothing(ranking: Ranking, type: str) -> None:
    here, abuser = ranking.here, ranking.here.user()
    # In one hour that is over, whatever the clock says now.
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=5)
    here.track(abuser, ranking.target, type, occurred_at=hour.isoformat())
    before, counted, trending = ranking.seen(), ranking.counted(), ranking.trending()
    logged = ranking.log_size()
    again = [hour + timedelta(seconds=10 * n) for n in range(1, 201)]
    if type in {"save", "apply", "dismiss"}:
        # Once ever: other days do not help, nor does doing it again today.
        again += [hour + timedelta(hours=n) for n in range(1, 120)]
    events = [
        {"listing_id": ranking.target, "type": type, "occurred_at": at.isoformat()} for at in again
    ]
    here.send(abuser, "/api/v1/feed/interactions", events=events)
    # Nor does it help to send one event many times, or to take it back and send it again.
    event = {"event_id": str(uuid.uuid4()), "occurred_at": hour.isoformat()}
    for _ in range(3):
        here.track(abuser, ranking.target, type, **event)
    for _ in range(3):
        path = f"/api/v1/feed/interactions/{event['event_id']}"
        assert here.call(abuser, "DELETE", path).status_code == 200
        here.track(abuser, ranking.target, type, **event)
    assert ranking.log_size() == logged + len(events) + 1
    assert ranking.counted() == counted
    assert ranking.seen() == before
    assert ranking.trending() == trending


def test_a_poster_moves_none_of_their_own_listings(ranking: Ranking) -> None:
    here, poster, target = ranking.here, ranking.poster, ranking.target
    before, counted, trending = ranking.seen(), ranking.counted(), ranking.trending()
    logged = ranking.log_size()
    for type in ("view", "click", "share", "save", "apply"):
        for hours in range(5):
            at = datetime.now(UTC) - timedelta(hours=hours)
            here.track(poster, target, type, occurred_at=at.isoformat())
    here.send(
        "service_role",
        "/api/v1/feed/interactions",
        events=[{"user_uid": poster, "listing_id": target, "type": "apply"}] * 50,
    )
    path = f"/rest/v1/listings?listing_id=eq.{target}"
    for change in (
        {"description": "Renewed!"},
        {"title": "Tent 0"},
        {"status": "closed"},
        {"status": "open"},
        {"tags": ["Tent", "tent ", "TENT"]},
    ):
        assert here.call(poster, "PATCH", path, json=change).status_code == 204
    for change in (
        {"created_at": "2999-01-01T00:00:00Z"},
        {"listing_id": str(uuid.uuid4())},
        {"poster_uid": ranking.observer},
    ):
        assert_error(here.call(poster, "PATCH", path, json=change), 400)
    assert_error(here.call(poster, "DELETE", path), 403)
    assert ranking.log_size() == logged + 75
    assert ranking.counted() == counted
    assert ranking.seen() == before
    assert ranking.trending() == trending
