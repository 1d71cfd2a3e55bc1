"""Standbys behind the gateway: who answers what, and what clients see when a server dies.

One instance with two standbys, one of which a commit waits for; the tests go on from where the one
before has left it. Who answered is in the gateway's access log.
"""

import itertools
import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest

from harness import (
    POSTGRESQL_SETTINGS,
    REPOSITORY,
    Instance,
    as_server,
    clean_environment,
    run,
    until,
)
from pgfeed.bench.pooler import pgbouncer, postgrests
from world import Town, assert_error

MAX_LAG = 2
PAGE = (REPOSITORY / "docs/dba/replicas.md").read_text()


def ports_of(instance: Instance) -> dict[int, int]:
    """The server's number by the port of its PostgREST."""
    found = {}
    for number in range(3):
        folder = instance.home / f"replica{number}" if number else instance.home
        settings = folder / "conf/postgrest.conf"
        if settings.exists():
            line = next(x for x in settings.read_text().splitlines() if x.startswith("server-port"))
            found[int(line.split()[-1])] = number
    return found


class Group(Town):
    """A town at an instance with standbys."""

    def __init__(self, instance: Instance, gateway: httpx.Client) -> None:
        super().__init__(instance, gateway)
        self.ports = ports_of(instance)
        self.log = instance.home / "log/access.log"

    def answered(
        self, caller: object | None, method: str, path: str, **options: object
    ) -> tuple[httpx.Response, list[int]]:
        """The answer, and the servers that were tried for it, the last of which gave it."""
        before = self.log.stat().st_size
        answer = self.call(caller, method, path, **options)
        until(lambda: self.log.stat().st_size > before, "a line in the access log")
        with self.log.open() as log:
            log.seek(before)
            line = json.loads(log.readline())
        tried = re.findall(r"[\d.]+:(\d+)", line["upstream"])
        return answer, [self.ports[int(port)] for port in tried]

    def server(self, caller: object | None, method: str, path: str, **options: object) -> int:
        answer, servers = self.answered(caller, method, path, **options)
        assert answer.is_success, answer.text
        assert len(servers) == 1, servers
        return servers[0]

    def events(self, member: int) -> int:
        with psycopg.connect(self.instance.server_dsn(member)) as connection:
            return connection.execute("select count(*) from feed.user_interactions").fetchone()[0]


@pytest.fixture(scope="module")
def replicated(test_home: Path, deployed: Path) -> Iterator[Instance]:
    instance = Instance(test_home / "replicated").begin_with(deployed)
    instance.settings |= {
        "PGFEED_REPLICAS": "2",
        "PGFEED_SYNCHRONOUS": "on",
        "PGFEED_REPLICA_MAX_LAG": str(MAX_LAG),
    }
    (instance.home / "postgresql.local.conf").write_text(POSTGRESQL_SETTINGS)
    try:
        command("switch-on", instance)
        instance.read_env()
        yield instance
    finally:
        instance.remove()


def command(name: str, instance: Instance) -> None:
    """A block of the page for DBAs, as it is."""
    (code,) = re.findall(rf"^```sh .* {name}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    environment = clean_environment(PGFEED_HOME=str(instance.home), **instance.settings)
    run("bash", "-euo", "pipefail", "-c", code, env=environment, cwd=REPOSITORY)


@pytest.fixture
def group(replicated: Instance) -> Iterator[Group]:
    with replicated.client() as client:
        yield Group(replicated, client)


@contextmanager
def paused(instance: Instance, *members: int) -> Iterator[None]:
    """Standbys that receive and do not replay."""
    for member in members:
        with psycopg.connect(instance.server_dsn(member), autocommit=True) as standby:
            standby.execute("select pg_wal_replay_pause()")
            until(
                lambda standby=standby: (
                    standby.execute("select pg_get_wal_replay_pause_state()").fetchone()[0]
                    == "paused"
                ),
                "replay pauses",
            )
    try:
        yield
    finally:
        for member in members:
            with psycopg.connect(instance.server_dsn(member), autocommit=True) as standby:
                standby.execute("select pg_wal_replay_resume()")


def in_time(group: Group, *members: int) -> None:
    """Waits until each of these answers reads of a user who wrote nothing."""
    reader = str(uuid.uuid4())
    missing = set(members)

    def found() -> bool:
        _, servers = group.answered(reader, "GET", "/api/v1/trending")
        missing.difference_update(servers[-1:])
        return not missing

    until(found, f"{members} answer")


def servers_of_reads(group: Group, reader: str, times: int = 10) -> set[int]:
    return {group.server(reader, "GET", "/api/v1/trending") for _ in range(times)}


# ---------------------------------------------------------------- who answers


def test_reads_go_to_standbys_and_writes_to_the_primary(group: Group) -> None:
    user, listing = group.user(), group.listing()
    in_time(group, 1, 2)
    assert servers_of_reads(group, str(uuid.uuid4())) == {1, 2}
    # What service_role wrote about the user, the standbys must have as well.
    until(lambda: group.server(user, "GET", "/api/v1/feed") in (1, 2), "the user reads there")
    for method, path, body in (
        ("GET", "/api/v1/feed", None),
        ("HEAD", "/api/v1/feed", None),
        ("POST", "/api/v1/feed", {"user_uid": user}),
        ("GET", f"/api/v1/explain/{listing}", None),
        ("GET", "/api/v1/preferences", None),
        ("GET", "/rest/v1/my_listings", None),
        ("GET", "/rest/v1/rpc/export_my_data", None),
        ("GET", "/rest/v1/", None),
    ):
        sent = {} if body is None else {"json": body}
        assert group.server(user, method, path, **sent) in (1, 2), (method, path)
    analyst = {"headers": group.instance.authorization(role="feed_analyst")}
    assert group.server(None, "GET", "/api/v1/analytics/daily_metrics", **analyst) in (1, 2)
    # Whether a job runs is known where it holds its lock.
    assert group.server(None, "GET", "/api/v1/analytics/job_health", **analyst) == 0

    event = str(uuid.uuid4())
    for method, path, body in (
        ("POST", f"/api/v1/feed/interactions/{listing}", {"type": "save", "event_id": event}),
        ("DELETE", f"/api/v1/feed/interactions/{event}", None),
        ("PATCH", "/api/v1/preferences", {"max_distance": 40}),
        ("POST", "/rest/v1/listings", {"title": "Mine", "status": "closed"}),
    ):
        sent = {} if body is None else {"json": body}
        assert group.server(user, method, path, **sent) == 0, (method, path)


def test_a_bad_feed_is_told_in_postgrests_words(group: Group) -> None:
    """It is asked for twice, and no more."""
    answer, servers = group.answered(str(uuid.uuid4()), "GET", "/api/v1/feed?exclude={x}")
    assert_error(answer, 400, says="invalid input syntax")
    assert len(servers) == 2, servers
    body = {"limit": 0}
    answer, servers = group.answered(str(uuid.uuid4()), "POST", "/api/v1/feed", json=body)
    assert_error(answer, 400, says="limit")


def test_a_role_that_there_is_not_is_refused_as_ever(group: Group) -> None:
    user = str(uuid.uuid4())
    token = group.instance.token(user, role="nobody_at_all")
    answer = group.call(
        None, "GET", "/api/v1/trending", headers={"Authorization": f"Bearer {token}"}
    )
    assert_error(answer, 403)


def test_a_user_reads_what_they_wrote(group: Group) -> None:
    user, other = group.user(), group.user()
    shown, *rest = group.listings([{"title": str(number)} for number in range(20)])
    in_time(group, 1, 2)
    until(lambda: shown in group.feed_ids(other), "the standbys have the listings")
    until(lambda: shown in group.feed_ids(user), "the standbys have the listings")
    with paused(group.instance, 1, 2):
        group.track(user, shown, "dismiss")
        answer, servers = group.answered(user, "GET", "/api/v1/feed")
        assert servers == [0]
        assert shown not in [row["listing_id"] for row in answer.json()]
        # By any of the user's tokens; others go on as before.
        assert group.server(user.upper(), "GET", "/api/v1/preferences") == 0
        assert group.server(other, "GET", "/api/v1/feed") in (1, 2)
    until(lambda: group.server(user, "GET", "/api/v1/feed") in (1, 2), "the user is back")
    assert shown not in group.feed_ids(user)

    # And without any pause, as fast as it goes.
    for listing in rest:
        group.track(user, listing, "dismiss")
        assert listing not in group.feed_ids(user)


def test_what_is_written_about_a_user_is_read_too_and_never_cached_older(group: Group) -> None:
    """The service role's write drops the user's answers; a standby that is late fills in none."""
    instance, user = group.instance, group.user()
    shown = group.listing()
    in_time(group, 1, 2)
    until(lambda: shown in group.feed_ids(user), "the standbys have the listing")
    event = {"user_uid": user, "listing_id": shown, "type": "dismiss"}
    instance.settings["PGFEED_CACHE"] = "on"
    instance.up("--no-deploy")
    try:

        def is_hit() -> bool:
            answer = group.call(user, "GET", "/api/v1/feed")
            return answer.headers["cache-status"].startswith("pgfeed; hit")

        until(is_hit, "the feed is cached")
        with paused(instance, 1, 2):
            group.send("service_role", "/api/v1/feed/interactions", events=[event])
            answer, servers = group.answered(user, "GET", "/api/v1/feed")
            assert servers == [0]
            assert shown not in [row["listing_id"] for row in answer.json()]
            until(is_hit, "the feed is cached again")
            assert shown not in group.feed_ids(user)
    finally:
        del instance.settings["PGFEED_CACHE"]
        instance.up("--no-deploy")


def test_a_standby_that_lags_is_left_out_until_it_has_caught_up(group: Group) -> None:
    reader, writer, listing = str(uuid.uuid4()), group.user(), group.listing()
    in_time(group, 1, 2)
    crit = group.instance.home / "log/nginx.log"
    with paused(group.instance, 1):
        # With nothing written there is nothing to lag behind.
        group.track(writer, listing, "view")
        until(lambda: "lags behind" in crit.read_text().splitlines()[-1], "it is left out")
        assert servers_of_reads(group, reader) == {2}
        # With nobody in time the primary answers, and not a standby of long ago.
        with paused(group.instance, 2):
            group.track(writer, listing, "click")
            until(lambda: servers_of_reads(group, reader, 1) == {0}, "the primary reads")
    in_time(group, 1, 2)


def test_a_new_function_is_known_to_standbys_after_a_deployment(group: Group) -> None:
    with group.instance.connect() as connection:
        connection.execute(
            """
            create function api.new_here() returns text language sql stable return 'new';
            grant execute on function api.new_here() to anon
            """
        )
        group.instance.bin("deploy")
        for member in (1, 2, 1, 2):

            def knows(member: int = member) -> bool:
                answer, servers = group.answered(None, "GET", "/rest/v1/rpc/new_here")
                return answer.is_success and servers == [member]

            until(knows, f"{member} knows the function")
        connection.execute("drop function api.new_here()")


def test_a_new_key_is_taken_by_standbys(group: Group) -> None:
    group.instance.bin("pgfeed", "rotate-key")
    # The first key of the set signs; the gateway's own questions, too.
    reader = str(uuid.uuid4())
    key = json.loads(group.instance.secret)["keys"][0]
    assert key["kty"] == "oct"
    in_time(group, 1, 2)
    group.instance.bin("pgfeed", "rotate-key", "--finish")
    in_time(group, 1, 2)
    assert servers_of_reads(group, reader) <= {1, 2}


def test_clients_of_sql_find_the_server_they_ask_for(group: Group) -> None:
    hosts = [group.instance.server_dsn(member).split()[0][5:] for member in (1, 2, 0)]
    for wanted, is_standby in (
        ("read-write", False),
        ("primary", False),
        ("standby", True),
        ("prefer-standby", True),
    ):
        with psycopg.connect(
            host=",".join(hosts),
            port="5432,5432,5432",
            dbname="pgfeed",
            user="postgres",
            target_session_attrs=wanted,
        ) as connection:
            query = "select pg_is_in_recovery()"
            assert connection.execute(query).fetchone()[0] is is_standby, wanted


def test_the_doctor_knows_the_standbys(group: Group) -> None:
    done = group.instance.bin("doctor", "--json", check=False)
    line = next(x for x in map(json.loads, done.stdout.splitlines()) if x["check"] == "replication")
    assert line["is_ok"], line
    assert line["finding"].startswith("2 standbys, none lags: replica1 ")
    assert "a commit waits for one of them" in line["finding"]


# ---------------------------------------------------------------- what dies


@dataclass
class Crowd:
    """Readers and writers at work; what went wrong, and which events were acknowledged."""

    group: Group
    users: list[str]
    listings: list[str]
    reads: int = 0
    failed_reads: list[str] = field(default_factory=list)
    refused: int = 0
    odd_writes: list[str] = field(default_factory=list)
    acknowledged: dict[str, float] = field(default_factory=dict)
    slowest_read: float = 0

    def read(self, is_over: threading.Event, user: str) -> None:
        headers = self.group.instance.authorization(user)
        with self.group.instance.client() as client:
            while not is_over.is_set():
                began = time.monotonic()
                try:
                    answer = client.get("/api/v1/feed", headers=headers)
                except httpx.TransportError:
                    # nginx, reloaded, closed the connection just when this was sent: on another
                    # one, as every client does.
                    answer = client.get("/api/v1/feed", headers=headers)
                self.slowest_read = max(self.slowest_read, time.monotonic() - began)
                self.reads += 1
                if answer.status_code != 200:
                    self.failed_reads.append(f"{answer.status_code} {answer.text}")

    def write(self, is_over: threading.Event, user: str) -> None:
        """Each event is sent until it is acknowledged, as clients should."""
        headers = self.group.instance.authorization(user)
        with self.group.instance.client() as client:
            for listing in itertools.cycle(self.listings):
                event = str(uuid.uuid4())
                body = {"type": "view", "event_id": event}
                while not is_over.is_set():
                    try:
                        answer = client.post(
                            f"/api/v1/feed/interactions/{listing}", json=body, headers=headers
                        )
                    except httpx.TransportError:
                        # nginx, reloaded, closed the connection just when this was sent.
                        self.refused += 1
                        continue
                    if answer.status_code == 200:
                        self.acknowledged[event] = time.monotonic()
                        break
                    self.refused += 1
                    # Cut off in the middle; or nobody there.
                    is_cut = answer.status_code == 400 and answer.json()["code"] == "PT503"
                    is_down = answer.status_code == 503 and answer.headers.get("retry-after")
                    if not is_cut and not is_down:
                        self.odd_writes.append(f"{answer.status_code} {answer.text}")
                    time.sleep(0.02)
                if is_over.is_set():
                    return

    @contextmanager
    def at_work(self, readers: int, writers: int) -> Iterator[None]:
        is_over = threading.Event()
        work = [(self.read, user) for user in self.users[:readers]]
        work += [(self.write, user) for user in self.users[readers : readers + writers]]
        threads = [threading.Thread(target=do, args=(is_over, user)) for do, user in work]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            is_over.set()
            for thread in threads:
                thread.join()

    def wait_for_more(self, reads: int = 20, writes: int = 0) -> None:
        reads, writes = self.reads + reads, len(self.acknowledged) + writes
        until(lambda: self.reads >= reads and len(self.acknowledged) >= writes, "more is done")

    def assert_all_there(self, member: int) -> None:
        with psycopg.connect(self.group.instance.server_dsn(member)) as connection:
            rows = connection.execute(
                "select i.event_id::text, count(*) from feed.user_interactions as i"
                " where i.event_id = any(%s) group by 1",
                (list(self.acknowledged),),
            ).fetchall()
        assert len(rows) == len(self.acknowledged)
        assert {count for _, count in rows} == {1}


@pytest.fixture
def crowd(group: Group) -> Crowd:
    listings = group.listings([{"title": str(number)} for number in range(20)])
    users = [group.user() for _ in range(6)]
    in_time(group, *({0, 1, 2} - {primary_of(group.instance)}))
    for user in users:
        until(lambda user=user: len(group.feed_ids(user)) == 20, "standbys have all")
    return Crowd(group, users, listings)


def primary_of(instance: Instance) -> int:
    file = instance.home / "primary"
    return int(file.read_text()) if file.exists() else 0


def kill_server(instance: Instance, member: int) -> None:
    """All processes of a PostgreSQL at once, as when the machine has no memory left."""
    folder = instance.home / f"replica{member}" if member else instance.home
    postmaster = int((folder / "data/postmaster.pid").read_text().split()[0])
    children = run("ps", "-o", "pid=", "--ppid", str(postmaster), check=False).stdout.split()
    for pid in (postmaster, *map(int, children)):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def is_started(instance: Instance) -> bool:
    """Starts PostgreSQL where it was killed, unless what is left of it is in the way still."""
    data = instance.home / "data"
    # The pid in it may be of a process that is dead and not buried.
    (data / "postmaster.pid").unlink(missing_ok=True)
    (Path(instance.values["PGHOST"]) / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
    log = instance.home / "log/postgres.log"
    try:
        as_server("pg_ctl", "-D", data, "-l", log, "-w", "start")
    except subprocess.CalledProcessError:
        return False
    return True


def test_a_killed_standby_is_not_noticed(
    crowd: Crowd, record_property: Callable[[str, object], None]
) -> None:
    with crowd.at_work(readers=4, writers=1):
        crowd.wait_for_more(writes=2)
        kill_server(crowd.group.instance, 1)
        crowd.wait_for_more(200, 5)
    assert crowd.failed_reads == []
    assert crowd.odd_writes == []
    assert crowd.refused == 0
    record_property("reads while a standby was killed", crowd.reads)
    record_property("slowest of them, s", round(crowd.slowest_read, 2))
    # bin/up starts it again.
    crowd.group.instance.up()
    in_time(crowd.group, 1, 2)


def test_a_killed_primary_stops_writes_alone_and_no_write_is_lost(
    crowd: Crowd, record_property: Callable[[str, object], None]
) -> None:
    instance, group = crowd.group.instance, crowd.group
    with crowd.at_work(readers=4, writers=2):
        crowd.wait_for_more(writes=10)
        killed_at = time.monotonic()
        kill_server(instance, 0)
        crowd.wait_for_more(100)
        until(lambda: crowd.refused > 5, "writes are refused")
        assert group.call(None, "GET", "/healthz").status_code == 200

        # By hand, and the one that has most: either may have been waited for.
        chosen = max((1, 2), key=lambda member: received(instance, member))
        data = instance.home / f"replica{chosen}/data"
        promoted_at = time.monotonic()
        as_server("pg_ctl", "-D", data, "-w", "promote")
        before = len(crowd.acknowledged)
        until(lambda: len(crowd.acknowledged) > before, "a write after the promotion")
        back_at = min(at for at in crowd.acknowledged.values() if at > promoted_at)
        crowd.wait_for_more(50, 20)

        # The former primary comes back as if nothing had happened, and is asked nothing.
        until(lambda: is_started(instance), "the former primary starts")
        events = group.events(0)
        crowd.wait_for_more(100, 20)
        assert group.events(0) == events

    assert crowd.failed_reads == []
    assert crowd.odd_writes == []

    # bin/up does not guess; bin/promote makes it official.
    refusal = instance.bin("up", check=False)
    assert refusal.returncode == 1
    assert f"bin/promote replica{chosen}" in refusal.stderr
    instance.bin("promote", f"replica{chosen}")
    instance.read_env()
    crowd.assert_all_there(chosen)
    record_property("reads while the primary was killed", crowd.reads)
    record_property("slowest of them, s", round(crowd.slowest_read, 2))
    record_property("first write after pg_ctl promote, s", round(back_at - promoted_at, 2))
    record_property("writes refused meanwhile", crowd.refused)
    assert killed_at < back_at

    # Everybody follows, the former primary too, and has the same.
    in_time(group, *({0, 1, 2} - {chosen}))
    with instance.connect() as connection:
        until(
            lambda: connection.execute(
                "select count(*) = 2 from pg_stat_replication where sync_state = 'quorum'"
            ).fetchone()[0],
            "both are waited for",
        )
        slots = connection.execute(
            "select array_agg(slot_name::text order by 1) from pg_replication_slots where active"
        ).fetchone()[0]
        assert slots == [f"replica{n}" for n in sorted({0, 1, 2} - {chosen})]
        host = connection.execute("select distinct nodename from cron.job").fetchall()
        assert host == [(instance.values["PGHOST"],)]
    for member in {0, 1, 2} - {chosen}:
        until(lambda member=member: group.events(member) == group.events(chosen), "all is there")


def received(instance: Instance, member: int) -> int:
    with psycopg.connect(instance.server_dsn(member)) as connection:
        query = "select greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'"
        return int(connection.execute(query).fetchone()[0])


def test_a_switch_over_loses_nothing(
    crowd: Crowd, record_property: Callable[[str, object], None]
) -> None:
    instance = crowd.group.instance
    former = primary_of(instance)
    with crowd.at_work(readers=2, writers=2):
        crowd.wait_for_more(writes=10)
        before = time.monotonic()
        command("promote", instance)
        crowd.wait_for_more(50, 20)
    instance.read_env()
    chosen = primary_of(instance)
    assert chosen != former
    assert crowd.failed_reads == []
    assert crowd.odd_writes == []
    crowd.assert_all_there(chosen)
    times = sorted([before, *(at for at in crowd.acknowledged.values() if at > before)])
    pause = max(later - sooner for sooner, later in itertools.pairwise(times))
    record_property("bin/promote: longest time without a write, s", round(pause, 2))
    in_time(crowd.group, *({0, 1, 2} - {chosen}))


def test_up_twice_is_up_once_and_fewer_are_fewer(group: Group) -> None:
    instance = group.instance
    pids = [instance.pid("postgres"), instance.pid("nginx")]
    for name in ("data/postmaster.pid", "run/postgrest.pid"):
        pids += [int((instance.home / f"replica{n}" / name).read_text().split()[0]) for n in (1, 2)]
    listing = group.listing()
    instance.up("--no-deploy")
    again = [instance.pid("postgres"), instance.pid("nginx")]
    for name in ("data/postmaster.pid", "run/postgrest.pid"):
        again += [
            int((instance.home / f"replica{n}" / name).read_text().split()[0]) for n in (1, 2)
        ]
    assert again == pids

    primary = primary_of(instance)
    del instance.settings["PGFEED_REPLICAS"], instance.settings["PGFEED_SYNCHRONOUS"]
    instance.up("--no-deploy")
    assert group.ask(None, "/rest/v1/listings", listing_id=f"eq.{listing}")
    with instance.connect() as connection:
        assert connection.execute("select count(*) from pg_replication_slots").fetchone() == (0,)
        assert connection.execute("show synchronous_standby_names").fetchone() == ("",)
    kept = {f"replica{primary}"} if primary else set()
    assert {path.name for path in instance.home.glob("replica*")} == kept


# ---------------------------------------------------------------- pgbouncer


def test_postgrest_works_through_pgbouncer(replicated: Instance) -> None:
    """Four PostgRESTs with ten sessions each have two sessions of the database between them."""
    user = str(uuid.uuid4())
    headers = replicated.authorization(user)
    values = replicated.values
    with (
        replicated.connect() as connection,
        pgbouncer(REPOSITORY, replicated.home, values, sessions=2) as folder,
        postgrests(REPOSITORY, replicated.home, 4, folder) as urls,
    ):
        connection.execute("insert into feed.users (user_uid) values (%s)", (user,))

        def use(url: str) -> None:
            with replicated.client(url) as client:
                for _ in range(10):
                    assert client.get("/rpc/get_feed", headers=headers).status_code == 200
                    change = {"max_distance": 30}
                    wrote = client.patch("/preferences", json=change, headers=headers)
                    assert wrote.status_code == 204, wrote.text
                    own = client.get("/preferences", headers=headers).json()
                    assert own[0]["max_distance"] == 30
                # Another role in the same sessions sees nothing of the first.
                assert client.get("/preferences").status_code == 401

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(use, urls * 2))
        assert pooled_sessions(connection) == 2


def pooled_sessions(connection: psycopg.Connection) -> int:
    """Those of authenticator that say no name, as PostgRESTs that come directly do."""
    return connection.execute(
        "select count(*) from pg_stat_activity"
        " where usename = 'authenticator' and application_name <> 'postgrest'"
    ).fetchone()[0]
