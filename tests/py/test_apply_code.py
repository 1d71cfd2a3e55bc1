"""bin/apply-code: only what changed, all of it or nothing, and an error that leads to its line.

What it leaves is what a fresh installation makes: nothing of former code stays.
"""

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from harness import REPOSITORY, Instance, run

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


def functions(scratch: psycopg.Connection) -> set[str]:
    """The functions of the test's files that are there."""
    rows = scratch.execute(
        """
        select oid::regprocedure::text from pg_proc
        where pronamespace = 'feed'::regnamespace and proname in ('one', 'two')
        """
    )
    return {name for (name,) in rows}


def test_objects_are_remembered(apply: Apply, folder: Path, scratch: psycopg.Connection) -> None:
    (folder / "functions/one.sql").write_text(
        ONE.format(value=1)
        + """
create or replace view feed.ones as select feed.one() as one;
drop policy if exists "nobody" on feed.users;
create policy "nobody" on feed.users using (false);
create or replace trigger t90_x after insert on feed.users
for each statement execute function suppress_redundant_updates_trigger();
comment on function feed.one is 'One.';
create temporary view passing as select 1;
"""
    )
    apply()
    query = "select objects from ops.source_files where path = 'functions/one.sql'"
    assert scratch.execute(query).fetchone() == (
        [
            "function feed.one()",
            "policy nobody on feed.users",
            "trigger t90_x on feed.users",
            "view feed.ones",
        ],
    )


def test_what_leaves_the_manifest_goes(
    apply: Apply, folder: Path, scratch: psycopg.Connection
) -> None:
    apply()
    (folder / "code.manifest").write_text("functions/one.sql\n")
    done = apply()
    assert "functions/two.sql is no longer in the manifest" in done.stdout
    assert "dropped function feed.two()" in done.stdout
    assert set(state(scratch)) == {"functions/one.sql"}
    assert functions(scratch) == {"feed.one()"}


def test_what_is_still_needed_does_not_go(
    apply: Apply, folder: Path, scratch: psycopg.Connection
) -> None:
    """Its file left the manifest, and another file builds on it."""
    apply()
    before = state(scratch)
    (folder / "code.manifest").write_text("functions/two.sql\n")
    done = apply(check=False)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "function feed.two() of sql/functions/two.sql needs what the manifest" in last
    assert state(scratch) == before
    assert functions(scratch) == {"feed.one()", "feed.two()"}


def test_what_nobody_in_the_manifest_made_is_never_dropped(
    apply: Apply, folder: Path, scratch: psycopg.Connection
) -> None:
    apply()
    scratch.execute("create view public.my_report as select feed.one() as one")
    (folder / "functions/one.sql").write_text(ONE.replace("integer", "bigint").format(value=2))
    done = apply(check=False)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "view public.my_report depends on what is replaced" in last
    assert scratch.execute("select one from public.my_report").fetchone() == (1,)

    # The same when its function is to go altogether.
    (folder / "functions/two.sql").write_text(TWO.replace("feed.one()", "1"))
    (folder / "code.manifest").write_text("functions/two.sql\n")
    assert "view public.my_report depends" in apply(check=False).stderr
    assert scratch.execute("select one from public.my_report").fetchone() == (1,)


@pytest.mark.parametrize(
    ("stranger", "name"),
    [
        ("create materialized view public.kept as select feed.one() as one",
         "materialized view public.kept"),
        ("create table public.kept (one integer check (one <> feed.one()))",
         "table constraint kept_one_check on public.kept"),
        ("create table public.kept (one integer default feed.one())",
         "default value for public.kept.one"),
        ("create view public.kept as select one from feed.ones", "view public.kept"),
    ],
    ids=["materialised view", "check", "default", "view on a view"],
)  # fmt: skip
def test_nor_is_anything_else_that_depends_on_it(
    apply: Apply, folder: Path, scratch: psycopg.Connection, stranger: str, name: str
) -> None:
    """Whatever kind it is, and however far away."""
    ones = "create or replace view feed.ones as select feed.one() as one;\n"
    manifest = folder / "code.manifest"
    manifest.write_text(manifest.read_text() + "ones.sql\n")
    (folder / "ones.sql").write_text(ones)
    apply()
    scratch.execute(stranger)
    (folder / "functions/one.sql").write_text(ONE.replace("integer", "bigint").format(value=2))
    done = apply(check=False)
    assert done.returncode != 0
    assert f"{name} depends on what is replaced" in done.stderr
    assert scratch.execute("select to_regclass('public.kept') is not null").fetchone() == (True,)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("feed.one()\nreturns integer", "feed.one()\nreturns bigint"),
        ("feed.one(x integer default 0)", "feed.one(y integer default 0)"),
        ("feed.one(x integer default 0)", "feed.one(x integer default 0, y integer default 0)"),
        ("feed.one(x integer default 0, y integer default 0)", "feed.one(x integer default 0)"),
    ],
    ids=["return type", "parameter's name", "more parameters", "fewer parameters"],
)
def test_what_cannot_be_replaced_in_place(
    apply: Apply, folder: Path, scratch: psycopg.Connection, before: str, after: str
) -> None:
    """The new signature alone is there; an unchanged file builds on it, and rights are kept."""
    (folder / "grants").mkdir()
    (folder / "grants/anon.sql").write_text("grant execute on function feed.two() to anon;\n")
    manifest = folder / "code.manifest"
    manifest.write_text(manifest.read_text() + "grants/anon.sql\n")
    comment = "comment on function feed.one is 'One.';\n"
    signature = "feed.one()" if "returns" not in before else "feed.one()\nreturns integer"
    (folder / "functions/one.sql").write_text(
        ONE.replace(signature, before).format(value=1) + comment
    )
    apply()
    (folder / "functions/one.sql").write_text(
        ONE.replace(signature, after).format(value=2) + comment
    )
    done = apply()
    assert set(done.stdout.split()) >= {"functions/one.sql", "functions/two.sql"}
    assert len(functions(scratch)) == 2
    assert scratch.execute("select feed.two()").fetchone() == (3,)
    allowed = "select has_function_privilege('anon', 'feed.two()', 'execute')"
    assert scratch.execute(allowed).fetchone() == (True,)
    # What was made is what a fresh installation makes, and there is nothing left to do.
    assert apply().stdout == ""


def test_a_view_loses_a_column(apply: Apply, folder: Path, scratch: psycopg.Connection) -> None:
    view = "create or replace view feed.ones as select feed.one() as one{more};\n"
    manifest = folder / "code.manifest"
    manifest.write_text(manifest.read_text() + "ones.sql\n")
    (folder / "ones.sql").write_text(view.format(more=", 2 as two"))
    apply()
    (folder / "ones.sql").write_text(view.format(more=""))
    apply()
    assert scratch.execute("select * from feed.ones").fetchall() == [(1,)]


def test_an_object_moves_to_another_file(
    apply: Apply, folder: Path, scratch: psycopg.Connection
) -> None:
    apply()
    oid = "select 'feed.two()'::regprocedure::oid"
    before = scratch.execute(oid).fetchone()
    (folder / "functions/two.sql").rename(folder / "second.sql")
    (folder / "code.manifest").write_text("functions/one.sql\nsecond.sql\n")
    assert "dropped" not in apply().stdout
    assert scratch.execute(oid).fetchone() == before


def test_what_somebody_dropped_comes_back(
    apply: Apply, folder: Path, scratch: psycopg.Connection
) -> None:
    apply()
    scratch.execute("drop function feed.two()")
    assert apply().stdout.split() == ["functions/two.sql"]
    assert functions(scratch) == {"feed.one()", "feed.two()"}


def test_a_grant_that_is_taken_out_is_revoked(
    apply: Apply, folder: Path, scratch: psycopg.Connection
) -> None:
    (folder / "grants").mkdir()
    file = folder / "grants/feed_analyst.sql"
    file.write_text(
        "grant select (user_uid) on feed.users to feed_analyst;\n"
        "grant usage on schema ml to feed_analyst;\n"
        "grant execute on function feed.one() to feed_analyst;\n"
    )
    manifest = folder / "code.manifest"
    manifest.write_text(manifest.read_text() + "grants/feed_analyst.sql\n")
    apply()
    rights = """
        select has_column_privilege('feed_analyst', 'feed.users', 'user_uid', 'select'),
            has_schema_privilege('feed_analyst', 'ml', 'usage'),
            has_function_privilege('feed_analyst', 'feed.one()', 'execute')
    """
    assert scratch.execute(rights).fetchone() == (True, True, True)
    file.write_text("grant execute on function feed.one() to feed_analyst;\n")
    apply()
    assert scratch.execute(rights).fetchone() == (False, False, True)


def test_nothing_is_left_of_the_looking_on(apply: Apply, scratch: psycopg.Connection) -> None:
    apply()
    assert scratch.execute("select count(*) from pg_event_trigger").fetchone() == (0,)


def test_files_of_one_engine(
    instance: Instance, folder: Path, scratch_name: str, scratch: psycopg.Connection
) -> None:
    """Which engine it is stays so until somebody says another."""
    manifest = folder / "code.manifest"
    manifest.write_text("functions/one.sql python\nfunctions/two.sql sql  # of one alone\n")
    (folder / "functions/two.sql").write_text(TWO.replace("feed.one()", "1"))

    def apply_code(**settings: str) -> None:
        environment = instance.environment | settings
        words = ("--dsn", instance.dsn(scratch_name), "--sql", str(folder))
        run(REPOSITORY / "bin/apply-code", *words, env=environment)

    engine = "select feed_engine from ops.engine_in_force"
    apply_code()
    assert functions(scratch) == {"feed.one()"}
    for settings in ({"PGFEED_ENGINE": "sql"}, {}):
        apply_code(**settings)
        assert functions(scratch) == {"feed.two()"}
        assert scratch.execute(engine).fetchone() == ("sql",)
    apply_code(PGFEED_ENGINE="python")
    assert functions(scratch) == {"feed.one()"}
    assert scratch.execute(engine).fetchone() == ("python",)


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
        ("functions/three.sql root", "after a path stand 'superuser' and an engine, not 'root'"),
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


TRIGGER = """create or replace trigger t90_x after insert on feed.{table}
for each statement execute function suppress_redundant_updates_trigger();
"""


def test_gives_up_waiting_for_a_lock(
    apply: Apply, folder: Path, instance: Instance, scratch_name: str
) -> None:
    """Replacing a trigger waits for writers; behind it every reader would wait too."""
    (folder / "functions/one.sql").write_text(TRIGGER.format(table="users"))
    with instance.connect(scratch_name, autocommit=False) as writer:
        writer.execute("lock table feed.users in row exclusive mode")
        done = apply("--lock-timeout", "100ms", "--attempts", "2", check=False)
    assert done.returncode != 0
    assert done.stderr.count("somebody holds a lock") == 1
    assert "functions/one.sql:2: ERROR:  canceling statement due to lock timeout" in done.stderr


def test_tries_again_for_a_lock(
    apply: Apply, folder: Path, instance: Instance, scratch_name: str, scratch: psycopg.Connection
) -> None:
    (folder / "functions/one.sql").write_text(ONE.format(value=5) + TRIGGER.format(table="users"))
    with instance.connect(scratch_name, autocommit=False) as writer:
        writer.execute("lock table feed.users in row exclusive mode")
        timer = threading.Timer(1, writer.commit)
        timer.start()
        done = apply("--lock-timeout", "100ms")
        timer.join()
    assert "somebody holds a lock" in done.stderr
    assert scratch.execute("select feed.two()").fetchone() == (6,)


def test_gives_way_in_a_deadlock(
    apply: Apply, folder: Path, instance: Instance, scratch_name: str
) -> None:
    """Each holds what the other needs: the writer, who serves a client, goes on."""
    (folder / "functions/one.sql").write_text(
        ONE.format(value=5) + TRIGGER.format(table="users") + "select pg_sleep(0.3);\n"
    )
    (folder / "functions/two.sql").write_text(TWO + TRIGGER.format(table="posters"))
    with (
        instance.connect(scratch_name, autocommit=False) as writer,
        instance.connect(scratch_name) as onlooker,
    ):
        writer.execute("lock table feed.posters in row exclusive mode")
        done: list[subprocess.CompletedProcess] = []
        thread = threading.Thread(target=lambda: done.append(apply("--lock-timeout", "10s")))
        thread.start()
        holds = """
            select 1 from pg_locks
            where relation = 'feed.users'::regclass and mode = 'ShareRowExclusiveLock' and granted
                and database = (select oid from pg_database where datname = current_database())
        """
        while not onlooker.execute(holds).fetchone():
            assert thread.is_alive()
            time.sleep(0.02)
        writer.execute("lock table feed.users in row exclusive mode")
        writer.commit()
        thread.join()
    assert "somebody holds a lock" in done[0].stderr


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
