"""Nothing is lost: real kills, under sixteen writers who come through the gateway.

A writer sends each event until it is acknowledged, always with the same event_id, as a client
should. Afterwards every acknowledged event is there once, keys, states and counters are a recount
of the log, and feeds are the reference's.

PGFEED_CRASH_ROUNDS=20 kills twenty times what is killed once otherwise; with -s the totals are
printed.
"""

import os
import random
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import IsolationLevel

from arena import FUNNEL, assert_consistent, write_folder
from engine_world import FEED, REFERENCE
from harness import REPOSITORY, Instance, clean_environment, run, until
from test_engine_live import look, make_world

ROUNDS = int(os.environ.get("PGFEED_CRASH_ROUNDS", "1"))
WRITERS = 16
# How many events are acknowledged before a kill, and after it.
ENOUGH = 50
FAKETIME = "faketime/libfaketime.so.1"

TOTALS: Counter = Counter()


class Crew:
    """Writers at work for as long as the block lasts; each ends with its event acknowledged."""

    def __init__(
        self, instance: Instance, users: list[str], listings: list[str], has_clocks: bool
    ) -> None:
        self.instance, self.users, self.listings = instance, users, listings
        self.has_clocks = has_clocks
        self.acknowledged: list[tuple[str, str]] = []
        self.answers: Counter = Counter()
        self.failures: list[BaseException] = []
        self.over = threading.Event()
        self.threads = [
            threading.Thread(target=self.work, args=(user,), daemon=True) for user in users
        ]

    def __enter__(self) -> "Crew":
        for thread in self.threads:
            thread.start()
        try:
            self.get_on()
        except BaseException:
            self.over.set()
            raise
        return self

    def __exit__(self, *problem: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(timeout=60)
        TOTALS.update(requests=sum(self.answers.values()), events=len(self.acknowledged))
        TOTALS.update({str(status): count for status, count in self.answers.items()})
        if not any(problem):
            assert not self.failures, self.failures[0]
            assert not any(thread.is_alive() for thread in self.threads)

    def work(self, user: str) -> None:
        chance = random.Random(user)
        headers = self.instance.authorization(user)
        try:
            with httpx.Client(timeout=30, trust_env=False) as client:
                while not self.over.is_set():
                    body = {"type": chance.choice(FUNNEL), "event_id": str(uuid.uuid4())}
                    if self.has_clocks and chance.random() < 0.5:
                        # By the client's clock, in any order: an hour's first may come last.
                        age = timedelta(minutes=chance.uniform(0, 6 * 24 * 60))
                        body["occurred_at"] = (datetime.now(UTC) - age).isoformat()
                    listing = chance.choice(self.listings)
                    self.send(client, headers, f"/api/v1/feed/interactions/{listing}", body)
                    self.acknowledged.append((user, body["event_id"]))
                    # A person's pace: what is measured is elsewhere.
                    time.sleep(chance.uniform(0, 0.15))
        except BaseException as failure:
            self.failures.append(failure)

    def send(self, client: httpx.Client, headers: dict, path: str, body: dict) -> None:
        deadline = time.monotonic() + 90
        while True:
            try:
                answer = client.post(self.instance.url + path, json=body, headers=headers)
            except httpx.TransportError:
                answer = None
            self.answers["no answer" if answer is None else answer.status_code] += 1
            if answer is not None:
                if answer.status_code == 200:
                    return
                # What says "try again", and nothing else, is what a client may meet. The code says
                # it, not always the status: see deploy/nginx.conf.
                is_told = answer.status_code == 429 or answer.json()["code"] == "PT503"
                assert is_told, f"HTTP {answer.status_code}: {answer.text}"
            assert time.monotonic() < deadline, body
            time.sleep(0.05)

    def get_on(self, count: int = ENOUGH) -> None:
        """Until so many more events are acknowledged."""
        goal = len(self.acknowledged) + count
        until(lambda: self.failures or len(self.acknowledged) >= goal, "the writers get on")
        assert not self.failures, str(self.failures[0])


class Field:
    """An instance, a small world in blocks of 4, and users who write in it."""

    def __init__(self, instance: Instance, has_own_disk: bool) -> None:
        self.instance, self.has_own_disk = instance, has_own_disk
        with instance.connect() as session:
            session.execute("update cron.job set active = false")
            self.world = make_world(session, 21)
            self.users = [str(uuid.uuid4()) for _ in range(WRITERS)]
            # Those that take applications.
            rows = session.execute(
                "select listing_id::text from feed.listings"
                " where status = 'open' and expires_at is null"
            )
            self.listings = [listing for (listing,) in rows]

    def crew(self, has_clocks: bool = True) -> Crew:
        return Crew(self.instance, self.users, self.listings, has_clocks)

    def execute(self, query: str, *parameters: object) -> list[tuple]:
        with self.instance.connect() as session:
            cursor = session.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def is_up(self) -> bool:
        try:
            return self.execute("select true") == [(True,)]
        except psycopg.OperationalError:
            return False

    def check(self, crew: Crew) -> None:
        """Every acknowledged event is there once; all that follows from the log follows."""
        with self.instance.connect() as session:
            rows = session.execute(
                "select user_uid::text, event_id::text from feed.user_interactions"
                " where user_uid = any(%s::uuid[])",
                (self.users,),
            ).fetchall()
            lost = set(crew.acknowledged) - set(rows)
            TOTALS.update(rounds=1, lost=len(lost))
            assert not lost
            assert len(rows) == len(set(rows)), "an event is there twice"
            assert_consistent(session)
        self.check_feeds()

    def check_feeds(self) -> None:
        with self.instance.connect(autocommit=False) as session:
            session.isolation_level = IsolationLevel.REPEATABLE_READ
            with session.transaction():
                world = look(self.world, session)
                world.compare()
                world.as_of = datetime.now(UTC)
                world.compare()
                for user in random.sample(self.users, 3):
                    request = {
                        "user": user,
                        "limit": 200,
                        "profile": "default",
                        "as_of": datetime.now(UTC),
                        "exclude": [],
                    }
                    expected = session.execute(REFERENCE, request).fetchall()
                    feed = session.execute(FEED, request).fetchall()
                    assert [row[:16] for row in feed] == [row[:16] for row in expected[:200]]
                    assert [row[17] for row in feed] == pytest.approx(
                        [row[17] for row in expected[:200]], abs=1e-9
                    )


@pytest.fixture(scope="module")
def field(test_home: Path, deployed: Path) -> Iterator[Field]:
    """The instance has a disk of its own where that can be had: only root can mount one."""
    instance = Instance(test_home / "crash")
    instance.home.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=640m,mode=755", "tmpfs", instance.home)
    is_mounted = run(*mount, check=False).returncode == 0
    instance.begin_with(deployed)
    (instance.home / "postgresql.local.conf").write_text(
        "shared_buffers = 64MB\nmax_wal_size = 32MB\nmin_wal_size = 32MB\nwal_recycle = off\n"
    )
    try:
        yield Field(instance.up(), is_mounted)
    finally:
        instance.bin("down", check=False)
        if is_mounted:
            run("umount", "--lazy", instance.home)
        shutil.rmtree(instance.home, ignore_errors=True)
        print(f"\ncrashes: {dict(TOTALS)}")


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


# ---------------------------------------------------------------------- servers


def kill_server(field: Field) -> None:
    """The postmaster and all its children at once, as when the power goes."""
    postmaster = field.instance.pid("postgres")
    children = run("ps", "-o", "pid=", "--ppid", str(postmaster)).stdout.split()
    for pid in (postmaster, *map(int, children)):
        try:
            kill(pid)
        except ProcessLookupError:
            continue
    field.instance.up("--no-deploy")


def kill_postmaster(field: Field) -> None:
    kill(field.instance.pid("postgres"))
    field.instance.up("--no-deploy")


def kill_backend(field: Field) -> None:
    """One that serves the API; nobody helps the server up again."""
    query = "select pid from pg_stat_activity where application_name = 'postgrest' limit 1"
    (pid,) = field.execute(query)[0]
    kill(pid)


def kill_postgrest(field: Field) -> None:
    kill(field.instance.pid("postgrest"))
    field.instance.up("--no-deploy")


def kill_gateway(field: Field) -> None:
    kill(field.instance.pid("nginx"))
    field.instance.up("--no-deploy")


@pytest.mark.parametrize(
    "strike", [kill_server, kill_postmaster, kill_backend, kill_postgrest, kill_gateway]
)
def test_a_killed_server_loses_nothing_that_was_acknowledged(
    field: Field, strike: Callable[[Field], None]
) -> None:
    for _ in range(ROUNDS):
        with field.crew() as crew:
            strike(field)
            crew.get_on()
        field.check(crew)


# ---------------------------------------------------------------------- jobs


@pytest.mark.parametrize("job", ["refresh_engagement", "train_models"])
def test_a_job_whose_process_is_killed_leaves_nothing_half_done(field: Field, job: str) -> None:
    for _ in range(ROUNDS):
        with field.crew() as crew:
            # A run may be over before it is hit: then another one is.
            attempts = 0
            while states(field, job)[-1:] != ["failed"]:
                attempts += 1
                assert attempts < 30
                run_and_kill(field, job)
            crew.get_on()
            field.execute(f"call jobs.{job}()")
            assert states(field, job)[-2:] == ["failed", "finished"]
        field.check(crew)


def states(field: Field, job: str) -> list[str]:
    """Of every run. A server may still be about to notice that a process of its own was killed."""
    query = "select state from jobs.run_states where job = %s order by run_id"
    found: list[tuple[str]] = []

    def ask() -> bool:
        with suppress(psycopg.OperationalError):
            found[:] = field.execute(query, job)
            return True
        return False

    until(ask, "the server says how the runs ended")
    return [state for (state,) in found]


def run_and_kill(field: Field, job: str) -> None:
    """kill -9 of the process of a run, some moments after the run was entered."""
    client = subprocess.Popen(
        ["psql", "-Xq", "-c", f"call jobs.{job}()"],
        env=field.instance.environment | {"PGUSER": "feed_worker"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with field.instance.connect() as session:

        def hit() -> bool:
            running = session.execute(
                "select backend_pid from jobs.run_states where job = %s and state = 'running'",
                (job,),
            ).fetchone()
            if running:
                time.sleep(random.uniform(0, 0.05))
                with suppress(ProcessLookupError):
                    kill(running[0])
            return running is not None or client.poll() is not None

        with suppress(psycopg.OperationalError):
            until(hit, f"{job} runs")
    client.wait(timeout=60)
    until(field.is_up, "the server is up again")


# ---------------------------------------------------------------------- loads


@contextmanager
def load_in_the_middle(field: Field, folder: Path) -> Iterator[tuple[subprocess.Popen, int]]:
    """A load that has written everything and now waits to count it: its client and its backend.

    A counter's row is locked by another; that is no obstacle to the load's own table locks.
    """
    with field.instance.connect(autocommit=False) as other:
        other.execute(
            "select from feed.engagement_metrics inner join feed.listings using (listing_id)"
            " where title = 'loaded' for update of engagement_metrics"
        )
        client = subprocess.Popen(
            [REPOSITORY / "bin/pgfeed", "load", folder],
            env=clean_environment(PGFEED_HOME=str(field.instance.home)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: loading(field, "Lock") or client.poll() is not None, "the load counts")
            assert client.poll() is None, "the load does not wait"
            yield client, loading(field, "Lock")[0]
        finally:
            client.kill()
            client.wait()


def kill_the_backend_of_a_load(field: Field, folder: Path) -> None:
    with load_in_the_middle(field, folder) as (client, backend):
        kill(backend)
        assert client.wait(timeout=60) != 0


def loading(field: Field, waiting_for: str | None = None) -> list[int]:
    """The backends that are taking interactions in; only those that wait for such a thing."""
    rows = field.execute(
        "select pid from pg_stat_activity where query like %s"
        " and (%s::text is null or wait_event_type = %s)",
        "%staged_interactions%",
        waiting_for,
        waiting_for,
    )
    return [pid for (pid,) in rows]


def test_a_load_whose_client_or_backend_is_killed_loads_nothing(
    field: Field, tmp_path: Path
) -> None:
    loaded = (
        "select count(*) from feed.user_interactions inner join feed.listings using (listing_id)"
        " where title = 'loaded'"
    )
    for number in range(ROUNDS):
        small, large = tmp_path / f"small{number}", tmp_path / f"large{number}"
        write_folder(small, seed=number, interactions=300)
        write_folder(large, seed=number)
        field.instance.bin("load", str(small))
        before = field.execute(loaded)
        with field.crew() as crew:
            with load_in_the_middle(field, large) as (client, _):
                kill(client.pid)
                client.wait(timeout=60)
            until(lambda: not loading(field), "the backend of the load is gone")
            assert field.execute(loaded) == before
            # Whoever holds the counter is gone with the server.
            with pytest.raises(psycopg.OperationalError):
                kill_the_backend_of_a_load(field, large)
            until(field.is_up, "the server is up again")
            crew.get_on()
            assert field.execute(loaded) == before
            # Its row checks were off in its transaction only.
            off = "select count(*) from pg_trigger where tgisinternal and tgenabled <> 'O'"
            assert field.execute(off) == [(0,)]
            field.instance.bin("load", str(large))
        assert field.execute(loaded)[0][0] == before[0][0] + 3000
        field.check(crew)


# ---------------------------------------------------------------------- the disk


def test_a_full_disk_stops_writing_and_loses_nothing(field: Field) -> None:
    if not field.has_own_disk:
        pytest.skip("a disk that fills up needs root and the right to mount")
    ballast = field.instance.home / "ballast"
    for _ in range(ROUNDS):
        field.execute("checkpoint")
        with field.crew() as crew:
            try:
                before = crew.answers[503]
                fill(ballast)
                until(
                    lambda crew=crew, before=before: crew.answers[503] > before + 20,
                    "writers are told",
                )
                # So far a table's file could not grow. Without room for WAL nothing goes on.
                until(lambda: not can_switch_wal(field), "PostgreSQL gives up")
            finally:
                ballast.unlink(missing_ok=True)
            field.instance.up("--no-deploy")
            crew.get_on()
        field.check(crew)


def can_switch_wal(field: Field) -> bool:
    try:
        field.execute("select pg_switch_wal()")
    except psycopg.errors.DiskFull:
        return True
    except psycopg.OperationalError:
        return False
    return True


def fill(ballast: Path) -> None:
    """Writes until there is no room left."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


# ---------------------------------------------------------------------- the clock


def test_a_clock_that_was_ahead_disturbs_no_count(field: Field) -> None:
    """Rows from the future: what was written before the clock was set back by half an hour."""
    field.execute(
        "insert into feed.users (user_uid) select unnest(%s::uuid[]) on conflict do nothing",
        field.users,
    )
    field.execute(
        """
        insert into feed.user_interactions (user_uid, listing_id, type, created_at)
        select u.user_uid, l.listing_id, t.type, now() + interval '30 minutes'
        from unnest(%s::uuid[]) as u (user_uid)
        cross join (select listing_id from feed.listings order by listing_id limit 10) as l
        cross join unnest(enum_range(null::feed.interaction_type)) as t (type)
        """,
        field.users,
    )
    with field.crew() as crew:
        for job in ("refresh_engagement", "refresh_trending"):
            field.execute(f"call jobs.{job}()")
        crew.get_on()
    field.check(crew)


@pytest.mark.parametrize("shift", ["-3h", "+40d"])
def test_a_server_whose_clock_jumps_loses_nothing(field: Field, shift: str) -> None:
    """PostgreSQL starts with a clock that is off, and then with the right one again."""
    # A client's own times would be refused, as in the future or long ago.
    with field.crew(has_clocks=False) as crew:
        (library,) = Path("/usr/lib").glob(f"*/{FAKETIME}")
        restart(field, LD_PRELOAD=str(library), FAKETIME=shift)
        (epoch,) = field.execute("select extract(epoch from now())")[0]
        assert abs(float(epoch) - time.time()) > 3600
        crew.get_on()
        for job in ("refresh_engagement", "refresh_trending"):
            field.execute(f"call jobs.{job}()")
        restart(field)
        crew.get_on()
    field.check(crew)


def restart(field: Field, **variables: str) -> None:
    """Kills PostgreSQL and starts it with these variables; PostgREST keeps its own clock."""
    kill(field.instance.pid("postgres"))
    # libfaketime names what its processes share by their numbers, and a killed one leaves it
    # behind: the next process of that number, of another user, would not start.
    for left in Path("/dev/shm").glob("*faketime_*_*"):
        if not Path("/proc", left.name.rpartition("_")[2]).exists():
            with suppress(OSError):
                left.unlink()
    environment = clean_environment(PGFEED_HOME=str(field.instance.home), **variables)
    run(REPOSITORY / "bin/up", "--no-deploy", "--no-http", env=environment)
    field.instance.up("--no-deploy")
