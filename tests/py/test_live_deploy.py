"""A release under load: all code replaced, tables wider, a new index, and no request fails."""

import itertools
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from harness import BINARIES, Instance, clean_environment, run
from pgfeed.doctor import listed_files
from world import Town

USERS = 8
LISTINGS = 60

# A feed and an interaction in one session for all the time, by prepared statements.
SCRIPT = f"""\
\\set user random(1, {USERS})
\\set listing random(1, {LISTINGS})
begin;
set local role service_role;
select set_config('request.jwt.claims', '{{"role": "service_role"}}', true);
select count(*), max(score)
from api.get_feed((select user_uid from feed.users where user_no = :user), 20);
commit;
insert into feed.user_interactions (user_uid, listing_id, type)
select u.user_uid, l.listing_id, 'click'
from feed.users as u, feed.listings as l
where u.user_no = :user and l.listing_no = :listing;
"""

# One busy table a change, as docs/dba/upgrade.md asks.
WIDER = ("listings", "users", "user_interactions", "user_listing_states", "listing_blocks")
COLUMN = """\
begin;
set local role feed_owner;
alter table feed.{table} add column note text;
commit;
"""
# It waits for every transaction that may still see the table without it: not 0.9 s.
INDEX = """\
set lock_timeout = 0;
set role feed_owner;
create index concurrently listings_note_idx on feed.listings (note);
"""


class Load:
    """Clients at the gateway, each a thread; what was answered, by path and status."""

    def __init__(self, town: Town, users: list[str], listings: list[str]) -> None:
        self.town, self.users, self.listings = town, users, listings
        self.answers: Counter[tuple[str, int]] = Counter()
        self.failures: list[str] = []
        self.slowest = 0.0
        self.stop = threading.Event()
        self.lock = threading.Lock()

    def requests(self, number: int) -> Iterator[tuple[str, str, dict]]:
        for n in itertools.count(number):
            listing = self.listings[n * 7 % len(self.listings)]
            yield "GET", "/api/v1/feed?limit=20", {}
            yield "POST", f"/api/v1/feed/interactions/{listing}", {"json": {"type": "view"}}
            yield "GET", "/rest/v1/listings?limit=5", {}
            yield "POST", f"/api/v1/feed/interactions/{listing}", {"json": {"type": "save"}}
            yield "GET", f"/api/v1/feed/explain/{listing}", {}
            yield "GET", "/api/v1/feed/trending?limit=5", {}
            yield "GET", "/api/v1/feed/preferences", {}
            yield "PATCH", "/api/v1/feed/preferences", {"json": {"max_distance": 20 + n % 30}}

    def client(self, number: int) -> None:
        headers = self.town.instance.authorization(self.users[number])
        with self.town.instance.client() as client:
            for method, path, body in self.requests(number):
                if self.stop.is_set():
                    return
                started = time.monotonic()
                try:
                    answer = client.request(method, path, headers=headers, **body)
                    status, text = answer.status_code, answer.text
                except httpx.HTTPError as error:
                    status, text = 0, repr(error)
                with self.lock:
                    self.slowest = max(self.slowest, time.monotonic() - started)
                    route = re.sub(r"[?].*|/[0-9a-f-]{36}$", "", path)
                    self.answers[f"{method} {route}", status] += 1
                    if not 200 <= status < 300:
                        self.failures.append(f"{method} {path}: {status} {text}")
                time.sleep(0.01)

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.client, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()


@contextmanager
def pgbench(instance: Instance, folder: Path) -> Iterator[dict[str, int]]:
    """Two sessions of pgbench; what they did is known when the block ends."""
    script = folder / "script.sql"
    script.write_text(SCRIPT)
    log = folder / "pgbench.log"
    done: dict[str, int] = {}
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                BINARIES / "pgbench",
                "-n",
                "-c",
                "2",
                "-M",
                "prepared",
                "-P",
                "1",
                "-T",
                "600",
                "-f",
                script,
            ],
            env=instance.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield done
            assert process.poll() is None, log.read_text()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    text = log.read_text()
    assert "ERROR" not in text and "aborted" not in text, text
    progress = re.findall(r"progress: .* s, ([0-9.]+) tps.*?(?:, (\d+) failed)", text)
    assert progress, text
    done["transactions"] = round(sum(float(tps) for tps, _ in progress))
    done["failed"] = sum(int(failed) for _, failed in progress)


def add_change(copy: Path, name: str, text: str) -> None:
    """A change at the end of the ledger, with nothing to verify."""
    schema = copy / "sql/schema"
    (schema / f"deploy/{name}.sql").write_text(text)
    for kind in ("revert", "verify"):
        (schema / f"{kind}/{name}.sql").write_text("select 1;\n")
    with (schema / "sqitch.plan").open("a") as plan:
        plan.write(f"{name} 2099-01-01T00:00:00Z pgfeed <pgfeed@localhost> # Live.\n")


def widen(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text, file
    file.write_text(text.replace(old, new, 1))


@pytest.mark.slow
def test_no_request_fails(
    fresh_instance: Callable[..., Instance],
    checkout_copy: Callable[[Path], None],
    test_home: Path,
    tools: Path,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    instance = fresh_instance(name="live")
    copy = test_home / "live-checkout"
    checkout_copy(copy)
    sql = copy / "sql"
    paths = listed_files((sql / "code.manifest").read_text(), "python")
    environment = clean_environment(PGFEED_HOME=str(instance.home), PGFEED_TOOLS=str(tools))

    with instance.client() as gateway:
        town = Town(instance, gateway)
        users = [town.user() for _ in range(USERS)]
        listings = town.listings([{"km": 1 + n / 10} for n in range(LISTINGS)])
        load = Load(town, users, listings)
        outputs = []
        with load.running(), pgbench(instance, tmp_path) as sessions:
            time.sleep(1)
            # All code: functions, triggers, views, policies, grants.
            for path in paths:
                with (sql / path).open("a") as file:
                    file.write("-- changed\n")
            outputs.append(run(copy / "bin/apply-code", env=environment, cwd=copy).stderr)
            # A release that expands: ledger first, then the code that uses it.
            for table in WIDER:
                add_change(copy, f"live_{table}", COLUMN.format(table=table))
            add_change(copy, "live_index", INDEX)
            widen(
                sql / "views/api/listings.sql",
                "l.expires_at\nfrom",
                "l.expires_at,\n    l.note\nfrom",
            )
            widen(
                sql / "grants/anon.sql",
                "created_at, expires_at\n",
                "created_at, expires_at, note\n",
            )
            outputs.append(run(copy / "bin/deploy", env=environment, cwd=copy).stderr)
            time.sleep(1.5)

    told = [f"{sum(load.answers.values())} requests, {len(load.failures)} failed,"]
    for (route, status), count in sorted(load.answers.items()):
        told.append(f"{status} {route}: {count}")
    told.append(f"slowest {load.slowest:.2f} s; pgbench {sessions}; {''.join(outputs).strip()}")
    record_property("live deploy", "\n  ".join(told))

    assert not load.failures, load.failures[:5]
    assert sessions["failed"] == 0
    assert f"{len(paths)} of {len(paths)} files new" in outputs[0]
    assert f"{len(WIDER) + 1} changes" in outputs[1]
    with instance.connect() as connection:
        assert_all_is_there(connection, load)
    with instance.client() as gateway:
        headers = instance.authorization(users[0])
        (listing, *_) = gateway.get("/rest/v1/listings?limit=1", headers=headers).json()
        assert "note" in listing


def assert_all_is_there(connection: psycopg.Connection, load: Load) -> None:
    """Every acknowledged interaction is in the log, once, and the counters are its recount."""
    posts = "POST /api/v1/feed/interactions"
    logged = connection.execute(
        "select count(*) from feed.user_interactions where type in ('view', 'save')"
    ).fetchone()
    assert logged == (load.answers[posts, 200] + load.answers[posts, 201],)
    drifted = connection.execute(
        """
        select count(*)
        from feed.engagement_metrics as m
        full join feed.expected_engagement as e using (listing_id)
        where (m.view_count, m.click_count, m.save_count)
            is distinct from (e.view_count, e.click_count, e.save_count)
        """
    ).fetchone()
    assert drifted == (0,)
    index = "select indisvalid from pg_index where indexrelid = 'feed.listings_note_idx'::regclass"
    assert connection.execute(index).fetchone() == (True,)
