"""Backup and restore by the commands of docs/dba/backup.md, to the moment before a mistake.

The standby and the archive are here too, for the doctor to look at.
"""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

import world
from harness import POSTGRESQL_SETTINGS, REPOSITORY, Instance, run, until
from pgfeed import doctor
from pgfeed.doctor import Patient, run_check

PAGE = (REPOSITORY / "docs/dba/backup.md").read_text()
FEED = """
select title, score from api.get_feed(%s, as_of => '2024-05-10')
"""


def block(name: str) -> str:
    (code,) = re.findall(rf"^```sh .* {name}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return code


def until_true(connection: psycopg.Connection, query: str) -> None:
    until(lambda: connection.execute(query).fetchone()[0], query)


@pytest.fixture(scope="module")
def backup(test_home: Path) -> Iterator[Path]:
    """Where base backups and WAL go, open to the server's user."""
    folder = test_home / "backup"
    (folder / "wal").mkdir(parents=True)
    if os.geteuid() == 0:
        shutil.chown(folder / "wal", "postgres", "postgres")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def primary(test_home: Path, deployed: Path, backup: Path) -> Iterator[Instance]:
    """An instance that archives its WAL, with a small world."""
    instance = Instance(test_home / "primary").begin_with(deployed)
    (settings,) = re.findall(r"^archive_command = (.*)$", PAGE, re.MULTILINE)
    (instance.home / "postgresql.local.conf").write_text(
        POSTGRESQL_SETTINGS
        + "archive_mode = on\n"
        + f"archive_command = {settings}\n".replace("/backup", str(backup))
    )
    try:
        instance.up("--no-http")
        instance.bin("load", str(REPOSITORY / "tests/py/data/village"))
        yield instance
    finally:
        instance.remove()


def patient(connection: psycopg.Connection) -> Patient:
    return Patient(REPOSITORY, None, None, "", "", connection)


def test_the_doctor_sees_standbys_and_the_archive(
    primary: Instance, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        primary.standby() as dsn,
        primary.connect() as here,
        psycopg.connect(dsn, autocommit=True) as standby,
    ):
        until_true(
            here, "select exists (select from pg_stat_replication where state = 'streaming')"
        )
        until_true(standby, "select pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()")
        assert run_check(patient(here), "replication").finding.startswith("1 standbys, none lags")
        assert run_check(patient(standby), "replication").finding.startswith("a standby, 0")

        # A busy machine may lag by that much without any pause.
        monkeypatch.setattr(doctor, "MOST_LAG", doctor.timedelta(seconds=0.2))
        standby.execute("select pg_wal_replay_pause()")
        here.execute("create table public.passing as select 1 as one")
        here.execute("drop table public.passing")
        time.sleep(0.3)
        until_true(standby, "select pg_last_wal_receive_lsn() <> pg_last_wal_replay_lsn()")
        behind = run_check(patient(standby), "replication")
        assert not behind.is_ok and behind.finding.endswith("behind"), behind
        standby.execute("select pg_wal_replay_resume()")

        shutil.rmtree(backup / "wal")
        here.execute("select pg_switch_wal()")
        until_true(here, "select failed_count > 0 from pg_stat_archiver")
        failing = run_check(patient(here), "replication")
        assert not failing.is_ok and "WAL is not archived" in failing.finding, failing
        (backup / "wal").mkdir()
        if os.geteuid() == 0:
            shutil.chown(backup / "wal", "postgres", "postgres")


def test_restore_to_a_named_moment(
    primary: Instance,
    backup: Path,
    test_home: Path,
    record_property: Callable[[str, object], None],
) -> None:
    environment = primary.environment | {"BACKUP": str(backup)}
    run("bash", "-euo", "pipefail", "-c", block("backup"), env=environment)

    user = "a0000000-0000-4000-8000-000000000001"
    with primary.connect() as connection:
        connection.execute('set request.jwt.claims = \'{"role": "service_role"}\'')
        # After the base backup: only the WAL has it.
        connection.execute("insert into feed.users (user_uid) values (gen_random_uuid())")
        connection.execute("call jobs.refresh_trending()")
        feed = connection.execute(FEED, (user,)).fetchall()
        everything = world.fingerprint(connection)
        connection.execute("select pg_create_restore_point('before the mistake')")
        connection.execute("drop table feed.user_interactions, feed.listing_blocks cascade")
        connection.execute("insert into feed.users (user_uid) values (gen_random_uuid())")
        (segment,) = connection.execute("select pg_walfile_name(pg_switch_wal())").fetchone()
        until_true(connection, f"select last_archived_wal >= '{segment}' from pg_stat_archiver")
    primary.down()

    restored = Instance(test_home / "restored")
    environment = primary.environment | {
        "PGFEED_HOME": str(restored.home),
        "BACKUP": str(backup),
        "UP_OPTIONS": "--no-http",
    }
    started = time.monotonic()
    try:
        command = ("bash", "-euo", "pipefail", "-c", block("restore"))
        run(*command, env=environment, cwd=REPOSITORY, timeout=300)
        restored.read_env()
        with restored.connect() as connection:
            connection.execute('set request.jwt.claims = \'{"role": "service_role"}\'')
            assert connection.execute(FEED, (user,)).fetchall() == feed != []
            seconds = time.monotonic() - started
            assert world.fingerprint(connection) == everything
            assert connection.execute("select pg_is_in_recovery()").fetchone() == (False,)
            there = replace(patient(connection), secret_file=restored.home / "jwt.secret")
            for name in ("ledger", "code", "checksums", "indexes", "blocks", "schedule"):
                assert run_check(there, name).is_ok, run_check(there, name)
    finally:
        restored.remove()
    size = sum(file.stat().st_size for file in (backup / "base").rglob("*") if file.is_file())
    figure = f"{size >> 20} MB and the WAL since, {seconds:.1f} s to the first feed"
    record_property("restore", figure)
