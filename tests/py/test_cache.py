"""The cache: it answers what PostgREST would, whoever asks, writes or fails meanwhile."""

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import jwt
import pytest

from harness import Instance, run, until
from world import Town

FEED = "/api/v1/feed"
# Of one answer, not of what is answered.
OF_THE_MOMENT = {"date", "age", "cache-status", "content-length", "transfer-encoding"}


class Redis:
    """The instance's Redis, by its command line."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.socket = Path(instance.values["PGFEED_REDIS"].removeprefix("unix:"))

    def __call__(self, *words: str) -> str:
        return run("redis-cli", "-s", self.socket, *words).stdout.strip()

    @property
    def pid(self) -> int:
        return self.instance.pid("redis")

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    @contextlib.contextmanager
    def out_of_reach(self) -> Iterator[None]:
        """Nobody gets through to it; it lives, and keeps what it has."""
        elsewhere = self.socket.with_suffix(".away")
        self.socket.rename(elsewhere)
        try:
            run("redis-cli", "-s", elsewhere, "client", "kill", "type", "normal")
            yield
        finally:
            elsewhere.rename(self.socket)


@contextlib.contextmanager
def switched_on(instance: Instance, **settings: str) -> Iterator[Redis]:
    former = dict(instance.settings)
    instance.settings.update({"PGFEED_CACHE": "on"} | settings)
    try:
        instance.up("--no-deploy")
        yield Redis(instance)
    finally:
        instance.settings.clear()
        instance.settings.update(former)
        instance.up("--no-deploy")


@pytest.fixture(scope="module")
def redis(quiet: None, instance: Instance) -> Iterator[Redis]:
    with switched_on(instance) as redis:
        yield redis


@pytest.fixture
def town(redis: Redis, here: Town) -> Town:
    return here


def state(answer: httpx.Response) -> str:
    """hit, miss or bypass, and why."""
    assert answer.status_code == 200, answer.text
    told = answer.headers.get("cache-status", "")
    return told.removeprefix("pgfeed; ").removeprefix("fwd=").split(";")[0]


def get(town: Town, user: object, path: str = FEED, **options: object) -> httpx.Response:
    return town.call(user, "GET", path, **options)


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["listing_id"] for row in answer.json()]


def warm(town: Town, user: object, path: str = FEED, **options: object) -> httpx.Response:
    """Asks until the answer comes from the cache."""
    get(town, user, path, **options)

    def hit() -> httpx.Response | None:
        answer = get(town, user, path, **options)
        return answer if state(answer) == "hit" else None

    return until(hit)


# ---------------------------------------------------------------------- what is answered


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("?limit=3", {}),
        ("?select=listing_id,score&limit=2", {"Accept": "application/json"}),
        ("?limit=3", {"Accept": "application/json, text/plain, */*", "Accept-Profile": "public"}),
        ("", {"Accept-Encoding": "identity"}),
        ("", {"Accept-Encoding": "gzip"}),
        ("?limit=1&select=rank", {"Accept-Encoding": "gzip"}),
        ("", {"Origin": "https://elsewhere.example"}),
    ],
)
def test_a_hit_is_the_miss(town: Town, query: str, headers: dict) -> None:
    user = town.user()
    town.listings([{"title": f"Listing {number} é"} for number in range(20)])
    # An answer is stored a moment after it was given: there may be several misses.
    misses = []

    def hit_or_miss() -> httpx.Response | None:
        answer = get(town, user, FEED + query, headers=headers)
        if state(answer) == "hit":
            return answer
        assert state(answer) == "miss"
        misses.append(answer)
        return None

    hit = until(hit_or_miss)
    miss = next(one for one in misses if one.content == hit.content)
    assert len(miss.json()) > 0

    kept = [
        {name: value for name, value in answer.headers.items() if name not in OF_THE_MOMENT}
        for answer in (miss, hit)
    ]
    assert kept[0] == kept[1]
    assert hit.headers["cache-control"] == "private, no-cache, max-age=60"
    assert "age" not in miss.headers
    assert 0 <= int(hit.headers["age"]) <= 60
    if "Origin" in headers:
        assert "Age, Cache-Status" in hit.headers["access-control-expose-headers"]

    for path in (FEED + query, FEED + query + ("&" if query else "?") + f"user_uid={user}"):
        head = town.call(user, "HEAD", path, headers=headers)
        assert state(head) == "hit"
        assert head.content == b""
        assert head.headers["content-range"] == miss.headers["content-range"]
        again = get(town, user, path, headers=headers).content
        assert again in [one.content for one in misses]


def test_no_listings_are_an_answer(town: Town) -> None:
    user = town.user()
    assert warm(town, user).json() == []


def test_limits_and_selections_are_answers_of_their_own(town: Town, redis: Redis) -> None:
    user = town.user()
    town.listings([{} for _ in range(5)])
    queries = ["", "?limit=3", "?limit=4", "?select=rank", "?select=rank&limit=3", "?select=score"]
    wanted = [get(town, user, FEED + query).content for query in queries]
    assert len(set(wanted)) == len(queries)
    assert [warm(town, user, FEED + query).content for query in queries] == wanted
    # However many are asked for, a user's share of memory has an end.
    for limit in range(5, 40):
        get(town, user, FEED + f"?limit={limit}")
    warm(town, user)
    assert int(redis("hlen", f"pgfeed:user:{user}")) <= 17


def test_what_is_not_plain_goes_through(town: Town) -> None:
    user = town.user()
    town.listings([{} for _ in range(3)])
    warm(town, user)
    queries = [
        "?order=rank.desc",
        "?offset=1",
        "?rank=lt.3",
        f"?exclude={{{uuid.uuid4()}}}",
        "?limit=50&select=rank&select=score",
        "?%73elect=rank",
        "?select=rank;order=rank",
        "?select=",
    ]
    headers = [
        {"Prefer": "count=exact"},
        {"Range": "0-1"},
        {"Accept": "text/csv"},
        {"Accept": "application/json;q=0.1, text/csv"},
        {"Accept": "application/vnd.pgrst.object+json"},
        {"Cache-Control": "no-store"},
    ]
    for query in queries:
        answer = get(town, user, FEED + query)
        assert "hit" not in answer.headers.get("cache-status", ""), query
        assert answer.headers["cache-control"] == "no-store", query
    for special in headers:
        answer = get(town, user, FEED + "?limit=1", headers=special)
        assert answer.headers.get("cache-status") == "pgfeed; fwd=bypass", special
        assert answer.headers["cache-control"] == "no-store", special
    posted = town.call(user, "POST", FEED, json={"limit": 2})
    assert (state(posted), len(posted.json())) == ("bypass", 2)
    for bad in ("?limit=0", "?limit=5&limit=6", "?user_uid=x"):
        assert get(town, user, FEED + bad).status_code == 400


def test_a_client_may_insist(town: Town) -> None:
    user = town.user()
    first = town.listing()
    warm(town, user)
    second = town.listing()
    assert ids(get(town, user)) == [first]
    for wish in ({"Cache-Control": "no-cache"}, {"Pragma": "no-cache"}):
        answer = get(town, user, headers=wish)
        assert state(answer) == "request"
        assert set(ids(answer)) == {first, second}
    until(lambda: set(ids(get(town, user))) == {first, second})
    assert state(get(town, user, headers={"Cache-Control": "max-age=3600"})) == "hit"


def test_the_access_log_tells(town: Town, instance: Instance) -> None:
    user = town.user()
    warm(town, user)
    get(town, user, FEED + "?offset=0")
    lines = (instance.home / "log/access.log").read_text().splitlines()
    entries = [json.loads(line) for line in lines[-50:]]
    assert {entry["cache"] for entry in entries if entry["route"] == "feed"} >= {
        "hit",
        "miss",
        "bypass",
    }


# ---------------------------------------------------------------------- who is answered


def signed(claims: dict, secret: str, algorithm: str = "HS256") -> dict[str, str]:
    return {"Authorization": f"Bearer {jwt.encode(claims, secret, algorithm)}"}


def test_nobody_gets_anybody_elses(town: Town, instance: Instance) -> None:
    ann, bob = town.user(), town.user()
    shown = town.listings([{} for _ in range(4)])
    town.track(ann, shown[0], "dismiss")
    town.track(bob, shown[1], "dismiss")
    feeds = {user: set(ids(warm(town, user))) for user in (ann, bob)}
    assert feeds == {ann: set(shown) - {shown[0]}, bob: set(shown) - {shown[1]}}
    for asker, other in ((ann, bob), (bob, ann)):
        assert get(town, asker, f"{FEED}?user_uid={other}").status_code == 403
        assert get(town, asker, f"{FEED}?user_uid={other.upper()}").status_code == 403
        # The application's, for whom nothing is kept.
        answer = get(town, "service_role", f"{FEED}?user_uid={other}")
        assert (state(answer), set(ids(answer))) == ("bypass", feeds[other])


def test_a_token_is_verified_first(town: Town, instance: Instance) -> None:
    user = town.user()
    town.listing()
    warm(town, user)
    soon, past = (datetime.now(UTC) + timedelta(minutes=m) for m in (10, -10))
    good = {"sub": user, "role": "authenticated", "exp": soon}
    token = signed(good, instance.secret)["Authorization"]
    head, claims, signature = token.removeprefix("Bearer ").split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    refused = {
        "forged": signed(good, "x" * 64)["Authorization"],
        "expired": signed(good | {"exp": past}, instance.secret)["Authorization"],
        "not yet": signed(good | {"nbf": soon}, instance.secret)["Authorization"],
        "unsigned": f"Bearer {none}.{claims}.",
        "none, signed": f"Bearer {none}.{claims}.{signature}",
        "cut": f"Bearer {head}.{claims}.{signature[:-3]}",
        "no role there is": signed(good | {"role": "nobody"}, instance.secret)["Authorization"],
        "for analysts": signed(good | {"role": "feed_analyst"}, instance.secret)["Authorization"],
        "for anybody": signed(good | {"role": "anon"}, instance.secret)["Authorization"],
        "basic": "Basic " + token.removeprefix("Bearer "),
        "none": "",
    }
    answered = []
    for what, authorization in refused.items():
        headers = {"Authorization": authorization} if authorization else {}
        answer = town.gateway.get(FEED, headers=headers)
        if answer.status_code not in (401, 403) or "hit" in answer.headers.get("cache-status", ""):
            answered.append((what, answer.status_code))
    assert answered == []
    # What PostgREST believes and the gateway does not is answered, but not from the cache.
    answer = town.gateway.get(FEED, headers=signed(good, instance.secret, "HS512"))
    assert state(answer) == "bypass"
    assert state(town.gateway.get(FEED, headers={"Authorization": token})) == "hit"


# ---------------------------------------------------------------------- who writes


def dismiss(town: Town, user: str, listing: str) -> None:
    town.track(user, listing, "dismiss")


def batch(town: Town, user: str, listing: str) -> None:
    town.send(
        user,
        "/api/v1/feed/interactions",
        events=[{"listing_id": listing, "type": "view"}],
    )


def by_rest(town: Town, user: str, listing: str) -> None:
    town.send(user, "/rest/v1/rpc/track_interaction", listing_id=listing, type="dismiss")


def block(town: Town, user: str, listing: str) -> None:
    """The tag of one of the listings."""
    body = {"blocked_tags": [listing]}
    answer = town.call(user, "PATCH", "/api/v1/preferences", json=body)
    assert answer.status_code in (200, 204), answer.text


def by_service(town: Town, user: str, listing: str) -> None:
    events = [
        {"user_uid": person.upper(), "listing_id": listing, "type": "dismiss"}
        for person in (town.user(), user)
    ]
    town.send("service_role", "/api/v1/feed/interactions", events=events)


def upserted(town: Town, user: str, listing: str) -> None:
    users = [{"user_uid": user, "blocked_tags": [listing]}]
    # More than nginx keeps in memory.
    users += [{"user_uid": str(uuid.uuid4()), "blocked_tags": ["x" * 150]} for _ in range(600)]
    town.send("service_role", "/rest/v1/rpc/upsert_users", users=users)


def patched(town: Town, user: str, listing: str) -> None:
    """By a service that acts as the user: the body names nobody."""
    exp = datetime.now(UTC) + timedelta(minutes=1)
    claims = {"sub": user, "role": "service_role", "exp": exp}
    answer = town.gateway.patch(
        "/api/v1/preferences",
        json={"blocked_tags": [listing]},
        headers=signed(claims, town.instance.secret),
    )
    assert answer.status_code in (200, 204), answer.text


def unreadable(town: Town, user: str, listing: str) -> None:
    """JSON for PostgreSQL, but nested more deeply than the gateway looks."""
    deep = "[" * 1500 + "]" * 1500
    event = {"user_uid": user, "listing_id": listing, "type": "view", "metadata": {"deep": []}}
    body = json.dumps({"events": [event]}).replace('"deep": []', f'"deep": {deep}')
    headers = {"Content-Type": "application/json"}
    path = "/api/v1/feed/interactions"
    answer = town.call("service_role", "POST", path, content=body, headers=headers)
    assert answer.status_code == 200, answer.text


def with_token(**changes: object) -> Callable[[Town, str, str], None]:
    """A token that PostgREST believes, though the gateway does not answer it from the cache."""

    def write(town: Town, user: str, listing: str) -> None:
        spelling = changes.get("spelling", "Bearer {}")
        sub = changes.get("sub", str)(user)
        exp = datetime.now(UTC) + timedelta(seconds=changes.get("seconds", 600))
        claims = {"sub": sub, "role": "authenticated", "exp": exp}
        token = jwt.encode(claims, town.instance.secret, changes.get("algorithm", "HS256"))
        answer = town.gateway.post(
            f"/api/v1/feed/interactions/{listing}",
            json={"type": "dismiss"},
            headers={"Authorization": spelling.format(token)},
        )
        assert answer.status_code == 200, answer.text

    return write


@pytest.mark.parametrize(
    "write",
    [
        dismiss,
        batch,
        by_rest,
        block,
        by_service,
        upserted,
        patched,
        unreadable,
        pytest.param(with_token(seconds=-10), id="just expired"),
        pytest.param(with_token(algorithm="HS512"), id="HS512"),
        pytest.param(with_token(sub=str.upper), id="upper case"),
        pytest.param(with_token(spelling="bearer\t {}"), id="tab"),
    ],
)
def test_who_has_written_sees_it(town: Town, write: Callable[[Town, str, str], None]) -> None:
    user = town.user()
    tagged = [
        {"listing_id": i, "poster_uid": town.some_poster, "title": "x", "tags": [i]}
        for i in (str(uuid.uuid4()) for _ in range(3))
    ]
    shown = town.listings(tagged)
    feed = ids(warm(town, user))
    assert set(feed) == set(shown)
    write(town, user, feed[0])
    assert ids(get(town, user)) == feed[1:]
    assert ids(warm(town, user)) == feed[1:]


def test_what_is_taken_back_is_there_again(town: Town) -> None:
    user = town.user()
    town.listings([{} for _ in range(3)])
    feed = ids(warm(town, user))
    event = town.track(user, feed[0], "dismiss")["event_id"]
    assert ids(warm(town, user)) == feed[1:]
    answer = town.call(user, "DELETE", f"/api/v1/feed/interactions/{event}")
    assert answer.status_code == 200, answer.text
    assert ids(get(town, user)) == feed


def test_who_has_left_left_nothing(town: Town, redis: Redis) -> None:
    user = town.user()
    town.listings([{} for _ in range(2)])
    warm(town, user)
    town.send(user, "/rest/v1/rpc/delete_my_data")
    assert "50 " not in redis("hkeys", f"pgfeed:user:{user}").splitlines()
    # Without a place of their own, and so without distances.
    assert all(row["distance_km"] is None for row in get(town, user).json())


def test_others_keep_theirs(town: Town) -> None:
    """Neither a neighbour's write, nor what was merely shown, nor new listings drop anything."""
    ann, bob = town.user(), town.user()
    shown = town.listings([{} for _ in range(3)])
    tickets = [row["ticket"] for row in warm(town, ann).json()]
    warm(town, bob)
    town.track(bob, shown[0], "dismiss")
    town.send(ann, "/api/v1/feed/impressions", tickets=tickets)
    town.send(ann, "/rest/v1/rpc/track_impressions", tickets=tickets)
    town.listing()
    event = {"user_uid": bob, "listing_id": shown[1], "type": "view"}
    town.send("service_role", "/api/v1/feed/interactions", events=[event])
    assert state(get(town, ann)) == "hit"
    # Forged tokens may not even do that.
    forged = signed({"sub": ann, "role": "authenticated"}, "x" * 64)
    path = f"/api/v1/feed/interactions/{shown[0]}"
    assert town.gateway.post(path, json={"type": "view"}, headers=forged).status_code == 401
    assert state(get(town, ann)) == "hit"


def test_a_closed_listing_is_gone_within_the_time_to_live(instance: Instance, town: Town) -> None:
    user = town.user()
    with switched_on(instance, PGFEED_CACHE_SECONDS="1"):
        stays, goes = town.listings([{}, {}])
        warm(town, user)
        town.listings([{"listing_id": goes, "status": "closed"}])

        def is_gone() -> bool:
            answer = get(town, user)
            if goes not in ids(answer):
                return True
            assert state(answer) == "hit"
            assert int(answer.headers["age"]) <= 1
            return False

        until(is_gone)
        assert ids(get(town, user)) == [stays]


# ---------------------------------------------------------------------- at the same time


@contextlib.contextmanager
def locked(instance: Instance, table: str, mode: str) -> Iterator[Callable[[], bool]]:
    """Whoever needs the table waits; says whether somebody does."""
    with instance.connect(autocommit=False) as blocker, instance.connect() as watcher:
        blocker.execute(f"lock table {table} in {mode} mode")
        yield lambda: watcher.execute(
            "select exists (select from pg_locks as l where l.relation = %s::regclass"
            " and not l.granted)",
            (table,),
        ).fetchone()[0]


def test_a_read_from_before_a_write_fills_nothing(town: Town, instance: Instance) -> None:
    """It has its snapshot, waits, and ends when the write is long acknowledged."""
    user = town.user()
    town.listings([{} for _ in range(3)])
    feed = town.feed_ids(user)
    town.track(user, feed[2], "dismiss")
    with ThreadPoolExecutor(1) as pool:
        with locked(instance, "feed.ranking_profiles", "access exclusive") as is_awaited:
            late = pool.submit(get, town, user)
            until(is_awaited)
            town.track(user, feed[0], "dismiss")
        assert ids(late.result()) == feed[:2]
    for _ in range(20):
        assert ids(get(town, user)) == feed[1:2]


@pytest.mark.parametrize("happens", ["nothing", "evicted", "Redis begins anew"])
def test_a_read_beside_a_write_fills_nothing(
    town: Town, instance: Instance, redis: Redis, happens: str
) -> None:
    user = town.user()
    town.listings([{} for _ in range(3)])
    feed = ids(warm(town, user))
    path = f"/api/v1/feed/interactions/{feed[0]}"
    with ThreadPoolExecutor(1) as pool:
        with locked(instance, "feed.user_interactions", "exclusive") as is_awaited:
            write = pool.submit(town.call, user, "POST", path, json={"type": "dismiss"})
            until(is_awaited)
            # What was kept is gone before PostgREST has written anything.
            assert redis("hkeys", f"pgfeed:user:{user}").split() == ["generation", "writes"]
            if happens == "evicted":
                assert redis("del", f"pgfeed:user:{user}") == "1"
            if happens == "Redis begins anew":
                os.kill(redis.pid, signal.SIGKILL)
                instance.up("--no-deploy")
            for _ in range(5):
                answer = get(town, user)
                assert (state(answer), ids(answer)) == ("bypass", feed)
        assert write.result().status_code == 200
    for _ in range(20):
        assert ids(get(town, user)) == feed[1:]
    warm(town, user)


def test_another_gateways_write_counts(town: Town, instance: Instance, redis: Redis) -> None:
    """What this one knows of is not all: Redis has the writes of all gateways."""
    user = town.user()
    town.listing()
    warm(town, user)
    redis("hset", f"pgfeed:user:{user}", "writes", f"elsewhere={int(time.time() + 600)}000")
    assert state(get(town, user)) == "bypass"
    redis("hset", f"pgfeed:user:{user}", "writes", f"elsewhere={int(time.time() - 1)}000")
    assert state(get(town, user)) == "hit"


def test_a_write_whose_client_went_away(town: Town, instance: Instance) -> None:
    """It may be committed at any time: nothing is kept until that is over."""
    user = town.user()
    town.listings([{} for _ in range(3)])
    feed = ids(warm(town, user))
    with locked(instance, "feed.user_interactions", "exclusive"):
        with pytest.raises(httpx.ReadTimeout):
            town.call(
                user,
                "POST",
                f"/api/v1/feed/interactions/{feed[0]}",
                json={"type": "dismiss"},
                timeout=0.3,
            )
        assert [ids(get(town, user)) for _ in range(3)] == [feed] * 3
    with instance.connect() as connection:
        query = "select count(*) from feed.user_interactions where user_uid = %s"
        until(lambda: connection.execute(query, (user,)).fetchone() == (1,))
    assert ids(get(town, user)) == feed[1:]


class Crowd:
    """Users who read all the time, and dismiss what they see; each is never to see it again."""

    def __init__(self, town: Town, users: int, listings: int) -> None:
        self.town = town
        self.users = [town.user() for _ in range(users)]
        self.shown = set(town.listings([{} for _ in range(listings)]))
        self.states: list[str] = []
        self.errors: list[str] = []
        self.stale: list[str] = []
        self.dismissed = 0
        self._is_over = threading.Event()

    def _get(self, client: httpx.Client, user: str, gone: set[str]) -> list[str]:
        expected = self.shown - gone
        answer = client.get(FEED, headers=self.town.instance.authorization(user))
        if answer.status_code != 200:
            self.errors.append(answer.text)
            return []
        self.states.append(state(answer))
        found = ids(answer)
        if not set(found) <= expected:
            self.stale.append(f"{state(answer)} {answer.headers.get('age')}")
        if len(found) != min(len(expected), 50):
            self.errors.append(f"{len(found)} listings of {len(expected)}")
        return found

    def _read(self, user: str) -> None:
        """Who only reads cannot know what is gone by now: it fills the cache."""
        headers = self.town.instance.authorization(user)
        with self._client() as client:
            while not self._is_over.is_set():
                answer = client.get(FEED, headers=headers)
                self.states.append(state(answer))

    def _write(self, user: str) -> None:
        gone: set[str] = set()
        headers = self.town.instance.authorization(user)
        with self._client() as client:
            while not self._is_over.is_set() and len(gone) < len(self.shown) - 5:
                found = self._get(client, user, gone)
                if not found:
                    continue
                path = f"/api/v1/feed/interactions/{found[0]}"
                answer = client.post(path, json={"type": "dismiss"}, headers=headers)
                if answer.status_code != 200:
                    self.errors.append(answer.text)
                gone.add(found[0])
                self.dismissed += 1
                self._get(client, user, gone)

    def _client(self) -> httpx.Client:
        # A connection each: a gateway that is reloaded closes those that are idle.
        limits = httpx.Limits(max_keepalive_connections=0)
        return httpx.Client(base_url=self.town.instance.url, timeout=60, limits=limits)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        with ThreadPoolExecutor(3 * len(self.users)) as pool:
            tasks = [
                pool.submit(work, user)
                for user in self.users
                for work in (self._write, self._read, self._read)
            ]
            try:
                yield
            finally:
                self._is_over.set()
            for task in tasks:
                task.result()

    def has_dismissed(self, more: int) -> None:
        """Waits until so many more are gone."""
        wanted = self.dismissed + more
        until(lambda: self.dismissed >= wanted or self.errors or self.stale, 60)

    def assert_all_was_well(self) -> None:
        assert self.errors == []
        assert self.stale == []
        assert "hit" in self.states
        assert self.dismissed > 0


def test_nobody_sees_again_what_they_dismissed(
    town: Town, record_property: Callable[[str, object], None]
) -> None:
    crowd = Crowd(town, users=3, listings=100)
    with crowd.at_work():
        crowd.has_dismissed(90)
    crowd.assert_all_was_well()
    hits = crowd.states.count("hit")
    record_property("cache: race", f"{crowd.dismissed} dismissals, {hits} hits, 0 stale")


# ---------------------------------------------------------------------- what fails


def test_redis_is_killed_and_the_gateway_reloaded_under_load(
    town: Town, instance: Instance, redis: Redis
) -> None:
    crowd = Crowd(town, users=2, listings=150)
    with crowd.at_work():
        crowd.has_dismissed(10)
        os.kill(redis.pid, signal.SIGKILL)
        crowd.has_dismissed(20)
        instance.up("--no-deploy")
        crowd.has_dismissed(10)
        os.kill(instance.pid("nginx"), signal.SIGHUP)
        crowd.has_dismissed(10)
        redis("flushall")
        redis("script", "flush")
        crowd.has_dismissed(10)
        before = len(crowd.states)
        until(lambda: "hit" in crowd.states[before:])
    crowd.assert_all_was_well()


def test_redis_is_slow(town: Town, redis: Redis) -> None:
    crowd = Crowd(town, users=1, listings=60)
    with crowd.at_work():
        crowd.has_dismissed(3)
        with redis.paused():
            crowd.has_dismissed(5)
        crowd.has_dismissed(3)
    crowd.assert_all_was_well()


def test_redis_is_full(town: Town, redis: Redis) -> None:
    """What is there is answered still, what is dropped is dropped, and no more comes in."""
    ann, bob = town.user(), town.user()
    town.listings([{} for _ in range(10)])
    feed = ids(warm(town, ann))
    try:
        redis("config", "set", "maxmemory-policy", "noeviction")
        redis("config", "set", "maxmemory", "1")
        assert "OOM" in redis("set", "more", "x")
        assert state(get(town, ann)) == "hit"
        assert "hit" not in [state(get(town, bob)) for _ in range(3)]
        town.track(ann, feed[0], "dismiss")
        assert [ids(get(town, ann)) for _ in range(5)] == [feed[1:]] * 5
    finally:
        redis("config", "set", "maxmemory", "256mb")
        redis("config", "set", "maxmemory-policy", "allkeys-lru")
    assert ids(warm(town, ann)) == feed[1:]


def test_redis_evicts(town: Town, redis: Redis) -> None:
    crowd = Crowd(town, users=3, listings=60)
    try:
        used = int(redis("info", "memory").split("used_memory:")[1].split()[0])
        redis("config", "set", "maxmemory", str(used + 500_000))
        with crowd.at_work():
            for number in range(5):
                crowd.has_dismissed(10)
                fill = f"for i = 1, 100 do redis.call('set', '{number}-' .. i, ARGV[1]) end"
                redis("eval", fill, "0", "x" * 10_000)
    finally:
        redis("config", "set", "maxmemory", "256mb")
    assert "evicted_keys:0" not in redis("info", "stats")
    crowd.assert_all_was_well()


def test_redis_is_out_of_reach_during_a_write(town: Town, instance: Instance) -> None:
    """It keeps the answers from before, and is back: nobody must get them."""
    ann, bob = town.user(), town.user()
    town.listings([{} for _ in range(10)])
    with switched_on(instance, PGFEED_CACHE_SECONDS="600") as redis:
        feed = ids(warm(town, ann))
        warm(town, bob)
        with redis.out_of_reach():
            town.track(ann, feed[0], "dismiss")
            assert ids(get(town, ann)) == feed[1:]
        until(lambda: state(get(town, bob)) == "hit")
        assert redis("hexists", f"pgfeed:user:{ann}", "50 ") == "1"
        assert ids(get(town, ann)) == feed[1:]
        assert ids(warm(town, ann)) == feed[1:]


def test_a_redis_elsewhere_with_a_password(town: Town, instance: Instance, test_home: Path) -> None:
    """Bound to an address; the instance's own is not started, and stops if it ran."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    password = test_home / "redis.password"
    password.write_text("correct horse\n")
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    command += ["--requirepass", "correct horse"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    user = town.user()
    settings = {"PGFEED_REDIS": f"localhost:{port}", "PGFEED_REDIS_PASSWORD_FILE": str(password)}
    try:
        with switched_on(instance, **settings, PGFEED_TOKEN_RATE="20"):
            assert not (instance.home / "run/redis.pid").exists()
            warm(town, user)
            # Answers from the cache count, too.
            assert 429 in [get(town, user).status_code for _ in range(200)]
            keys = run("redis-cli", "-p", str(port), "-a", "correct horse", "keys", "*").stdout
            assert f"pgfeed:user:{user}" in keys
    finally:
        process.kill()
        process.wait()


def test_switched_off_nothing_of_it_is_there(town: Town, instance: Instance) -> None:
    user = town.user()
    warm(town, user)
    with switched_on(instance, PGFEED_CACHE="off"):
        answer = get(town, user)
        assert "cache-status" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"
        assert not (instance.home / "run/redis.pid").exists()
    warm(town, user)


def test_settings_that_are_none_are_refused(instance: Instance, redis: Redis) -> None:
    bad = {
        "PGFEED_CACHE": "yes",
        "PGFEED_REDIS": "redis://somewhere",
        "PGFEED_REDIS_PASSWORD_FILE": "/nowhere",
        "PGFEED_CACHE_SECONDS": "0",
        "PGFEED_CACHE_MEMORY": "lots",
    }
    former = dict(instance.settings)
    for name, value in bad.items():
        try:
            instance.settings[name] = value
            done = instance.bin("up", "--no-deploy", check=False)
            assert done.returncode != 0, name
            assert name in done.stderr
        finally:
            instance.settings.clear()
            instance.settings.update(former)
    instance.up("--no-deploy")
