"""bin/apply-code: only what changed, all of it or nothing, and an error that leads to its line."""

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from harness import Instance

ONE = """-- One.
create or replace function feed.one()
returns integer
language sql
return {value};
"""
TWO = """-- Two.
create or replace function feed.two()
returns integer
language sql
return feed.one() + 1;
"""
SUPERUSER = """
create or replace function feed.python_one()
returns integer
language plpython3u
as $$ return 1 $$;
"""


@pytest.fixture
def folder(tmp_path: Path, scratch: psycopg.Connection) -> Path:
    """A tree of code with two files, and a database that has none."""
    scratch.execute("delete from ops.source_files")
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions/one.sql").write_text(ONE.format(value=1))
    (tmp_path / "functions/two.sql").write_text(TWO)
    (tmp_path / "code.manifest").write_text("# Code\n\nfunctions/one.sql\nfunctions/two.sql\n")
    return tmp_path


Apply = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def apply(instance: Instance, folder: Path, scratch_name: str) -> Apply:
    def apply_code(*options: str, check: bool = True) -> subprocess.CompletedProcess:
        dsn = instance.dsn(scratch_name)
        return instance.bin("apply-code", "--dsn", dsn, "--sql", str(folder), *options, check=check)

    return apply_code


def state(scratch: psycopg.Connection) -> dict[str, tuple]:
    rows = scratch.execute("select path, sha256, applied_at from ops.source_files").fetchall()
    return {path: (sha256, applied_at) for path, sha256, applied_at in rows}


def test_applies_once(apply: Apply, scratch: psycopg.Connection) -> None:
    first = apply()
    assert "functions/one.sql" in first.stdout
    assert scratch.execute("select feed.two()").fetchone() == (2,)
    before = state(scratch)
    second = apply()
    assert second.stdout == ""
    assert state(scratch) == before


def test_owner_is_feed_owner(apply: Apply, scratch: psycopg.Connection) -> None:
    apply()
    owner = "select proowner::regrole::text from pg_proc where proname = 'two'"
    assert scratch.execute(owner).fetchone() == ("feed_owner",)


def test_changed_file_alone(apply: Apply, folder: Path, scratch: psycopg.Connection) -> None:
    apply()
    before = state(scratch)
    (folder / "functions/one.sql").write_text(ONE.format(value=41))
    done = apply()
    assert done.stdout.split() == ["functions/one.sql"]
    after = state(scratch)
    assert after["functions/two.sql"] == before["functions/two.sql"]
    assert after["functions/one.sql"] != before["functions/one.sql"]
    assert scratch.execute("select feed.two()").fetchone() == (42,)


def test_broken_file_leaves_nothing(
    apply: Apply, folder: Path, scratch: psycopg.Connection
) -> None:
    apply()
    before = state(scratch)
    (folder / "functions/one.sql").write_text(ONE.format(value=7))
    (folder / "functions/two.sql").write_text(TWO.replace("feed.one()", "feed.no_such()"))
    done = apply(check=False)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "nothing was applied: sql/functions/two.sql:5: ERROR" in last
    assert "feed.no_such()" in last
    assert state(scratch) == before
    assert scratch.execute("select feed.one()").fetchone() == (1,)


def test_removed_file_is_reported(apply: Apply, folder: Path, scratch: psycopg.Connection) -> None:
    apply()
    (folder / "code.manifest").write_text("functions/one.sql\n")
    done = apply()
    assert "functions/two.sql is no longer in the manifest" in done.stdout
    assert set(state(scratch)) == {"functions/one.sql"}


def test_superuser_column(apply: Apply, folder: Path, scratch: psycopg.Connection) -> None:
    (folder / "functions/python_one.sql").write_text(SUPERUSER)
    manifest = folder / "code.manifest"
    lines = manifest.read_text()
    manifest.write_text(lines + "functions/python_one.sql\n")
    refused = apply(check=False)
    assert "permission denied for language plpython3u" in refused.stderr
    manifest.write_text(lines + "functions/python_one.sql   superuser  # Python is untrusted\n")
    apply()
    assert scratch.execute("select feed.python_one()").fetchone() == (1,)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("functions/three.sql", "there is no file sql/functions/three.sql"),
        ("functions/one.sql", "functions/one.sql is listed twice"),
        ("functions/three.sql root", "the second column may only be 'superuser', not 'root'"),
    ],
)
def test_bad_manifest(apply: Apply, folder: Path, line: str, complaint: str) -> None:
    manifest = folder / "code.manifest"
    manifest.write_text(manifest.read_text() + line + "\n")
    done = apply(check=False)
    assert done.returncode != 0
    assert f"code.manifest:5: {complaint}" in done.stderr


def test_dry_run_changes_nothing(apply: Apply, scratch: psycopg.Connection) -> None:
    done = apply("--dry-run")
    assert "functions/one.sql" in done.stdout
    assert state(scratch) == {}


def test_gives_up_waiting_for_a_lock(
    apply: Apply, folder: Path, instance: Instance, scratch_name: str
) -> None:
    """Replacing a trigger waits for writers; behind it every reader would wait too."""
    (folder / "functions/one.sql").write_text(
        "create or replace trigger t90_x after insert on feed.users\n"
        "for each statement execute function suppress_redundant_updates_trigger();\n"
    )
    with instance.connect(scratch_name, autocommit=False) as writer:
        writer.execute("lock table feed.users in row exclusive mode")
        started = time.monotonic()
        done = apply("--lock-timeout", "300ms", check=False)
        assert time.monotonic() - started < 5
    assert "functions/one.sql:2: ERROR:  canceling statement due to lock timeout" in done.stderr


def test_two_at_once_take_turns(apply: Apply, folder: Path, scratch: psycopg.Connection) -> None:
    """The second waits, then finds everything applied."""
    (folder / "functions/one.sql").write_text(ONE.format(value=1) + "select pg_sleep(1);\n")
    done: list[subprocess.CompletedProcess] = []
    threads = [threading.Thread(target=lambda: done.append(apply())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 2
    assert sorted("one.sql" in result.stdout for result in done) == [False, True]
