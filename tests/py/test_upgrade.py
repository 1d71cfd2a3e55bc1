"""From the last release to this checkout, with data: the same as a fresh installation.

Where no release is to be had (there is none before this commit, or the clone is shallow), the
former state is this checkout with older code, made up so that every kind of change is in it:
see make_older. The name of each test says which of the two it was.
"""

import difflib
import itertools
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

import world
from harness import BINARIES, POSTGRESQL_SETTINGS, REPOSITORY, Instance, clean_environment, run
from pgfeed.doctor import planned_changes

CHANGES = planned_changes((REPOSITORY / "sql/schema/sqitch.plan").read_text())
MADE_UP = "a made-up older state"


def git(*words: str) -> subprocess.CompletedProcess:
    return run("git", "-c", "safe.directory=*", *words, cwd=REPOSITORY, check=False)


def last_release() -> str:
    """The last tag before this commit, or nothing."""
    done = git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD^")
    return done.stdout.strip() if done.returncode == 0 else ""


FORMER = last_release() or MADE_UP


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text, f"{file} has no {old!r}: choose another change"
    file.write_text(text.replace(old, new))


def append(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        handle.write(text)


def make_older(sql: Path) -> None:
    """Code as it might have been: each line is a kind of change that an upgrade must master."""
    feed = sql / "functions/feed"
    # Another parameter name, another return type, a parameter more, a column more.
    edit(feed / "location_score.sql", "unknown_score", "score_of_unknown")
    edit(feed / "recency_score.sql", "returns double precision", "returns numeric")
    edit(feed / "recency_score.sql", "\n);\n", "\n)::numeric;\n")
    edit(feed / "count_text.sql", "plural text)", "plural text, former text default '')")
    edit(
        sql / "views/api/my_interactions.sql", "    i.event_id,", "    i.user_uid,\n    i.event_id,"
    )
    # Files that have left the manifest since, one building on the other.
    append(
        feed / "former_helper.sql",
        "create or replace function feed.former_helper() returns integer language sql return 1;\n",
    )
    append(
        sql / "views/analytics/former_report.sql",
        "create or replace view analytics.former_report as select feed.former_helper() as one;\n"
        "grant select on analytics.former_report to feed_analyst;\n",
    )
    append(
        sql / "code.manifest",
        "functions/feed/former_helper.sql\nviews/analytics/former_report.sql\n",
    )
    # Objects that a file has given up, and a right that was too much.
    append(
        sql / "policies/feed/posters.sql",
        'drop policy if exists "everybody sees posters" on feed.posters;\n'
        'create policy "everybody sees posters" on feed.posters for select using (true);\n',
    )
    append(
        sql / "triggers/feed/posters_score.sql",
        "create or replace trigger t95_former before update on feed.posters\n"
        "for each row execute function suppress_redundant_updates_trigger();\n",
    )
    append(
        sql / "grants/anon.sql",
        "grant select on feed.posters to anon;\ngrant usage on schema ml to anon;\n",
    )


@dataclass
class Upgraded:
    """An instance with the databases `former`, upgraded, and `fresh`."""

    instance: Instance
    checkout: Path
    rows_before: dict[str, int]
    objects_before: set[str]


def dump(instance: Instance, database: str) -> list[str]:
    """The schema as pg_dump writes it, but for a random token and the order of grants.

    An access list is in the order in which the rights were granted. And a partition has its
    parent's checks, for otherwise it would be none: whether it came with them or got them with
    the parent is not compared.
    """
    environment = instance.environment | {"PGDATABASE": database}
    lines = run(BINARIES / "pg_dump", "--schema-only", env=environment).stdout.splitlines()
    lines = [line for line in lines if not line.startswith(("\\restrict", "\\unrestrict"))]
    lines = without_checks_of_partitions(lines)
    is_grant = lambda line: line.startswith(("GRANT ", "REVOKE "))  # noqa: E731
    groups = itertools.groupby(lines, is_grant)
    return [line for grants, group in groups for line in (sorted(group) if grants else group)]


def without_checks_of_partitions(lines: list[str]) -> Iterator[str]:
    is_partition = False
    for line in lines:
        if line.startswith("CREATE TABLE "):
            is_partition = re.search(r"_\d{4}_\d{2} \($", line) is not None
        if not (is_partition and line.startswith("    CONSTRAINT ") and " CHECK " in line):
            yield line
        is_partition = is_partition and line != ");"


def assert_same(one: list[str], other: list[str], what: str) -> None:
    difference = "\n".join(difflib.unified_diff(one, other, "expected", "found", lineterm="", n=2))
    assert not difference, f"{what}:\n{difference}"


def objects(connection: psycopg.Connection) -> set[str]:
    rows = connection.execute("select unnest(objects) from ops.source_files")
    return {name for (name,) in rows}


def make_months(instance: Instance) -> None:
    """The partitions that the data needed, in the fresh database too."""
    with instance.connect("former") as former, instance.connect("fresh") as fresh:
        months = former.execute(
            """
            select distinct to_date(right(c.relname, 7), 'YYYY_MM')
            from pg_class as c
            where c.relispartition and c.relkind = 'r' and c.relnamespace = 'feed'::regnamespace
            """
        )
        for (month,) in months.fetchall():
            fresh.execute("select feed.ensure_partitions(%s, %s)", (month, month))


def counts(connection: psycopg.Connection) -> dict[str, int]:
    return {name: rows for name, (rows, _) in world.fingerprint(connection).items()}


@pytest.fixture(scope="module", params=[FORMER])
def upgraded(
    test_home: Path, tools: Path, checkout_copy: Callable[[Path], None]
) -> Iterator[Upgraded]:
    """Deploys the former state by its own commands, loads data, upgrades by ours."""
    checkout = test_home / "former-checkout"
    checkout.mkdir()
    if FORMER == MADE_UP:
        checkout_copy(checkout)
        make_older(checkout / "sql")
    else:
        run("bash", "-c", f"git -c safe.directory='*' archive {FORMER} | tar -x -C {checkout}",
            cwd=REPOSITORY)  # fmt: skip
    # It must not put its own versions into the virtual environment that all tests share.
    (checkout / "bin/install").write_text("#!/bin/sh\n")

    instance = Instance(test_home / "upgrade")
    environment = clean_environment(PGFEED_HOME=str(instance.home), PGFEED_TOOLS=str(tools))

    def former(name: str, *arguments: str, **more: str) -> None:
        run(checkout / "bin" / name, *arguments, env=environment | more, cwd=checkout)

    instance.home.mkdir()
    (instance.home / "postgresql.local.conf").write_text(POSTGRESQL_SETTINGS)
    try:
        former("up", "--no-http", "--no-deploy")
        instance.read_env()
        former("deploy", "former")
        village = str(checkout / "tests/py/data/village")
        former("load", village, PGFEED_DATABASE="former")
        with instance.connect("former") as connection:
            connection.execute("call jobs.refresh_engagement()")
            connection.execute("call jobs.refresh_trending()")
            before = counts(connection)
            objects_before = objects(connection)
        former("down")

        instance.up("--no-http", "--no-deploy")
        instance.bin("deploy", "former")
        instance.bin("deploy", "fresh")
        yield Upgraded(instance, checkout, before, objects_before)
    finally:
        instance.remove()


def test_the_schema_is_that_of_a_fresh_installation(upgraded: Upgraded) -> None:
    instance = upgraded.instance
    make_months(instance)
    assert_same(dump(instance, "fresh"), dump(instance, "former"), "after the upgrade")


def test_what_the_files_and_the_ledger_wrote_is_the_same(upgraded: Upgraded) -> None:
    for query in (
        "select path, sha256, objects from ops.source_files order by path",
        "select * from jobs.schedules order by job",
        "select change from sqitch.changes order by change",
    ):
        with (
            upgraded.instance.connect("former") as former,
            upgraded.instance.connect("fresh") as fresh,
        ):
            assert former.execute(query).fetchall() == fresh.execute(query).fetchall()


def test_the_data_is_all_there(upgraded: Upgraded) -> None:
    with upgraded.instance.connect("former") as connection:
        after = counts(connection)
    kept = {name: rows for name, rows in upgraded.rows_before.items() if name in after}
    assert kept["feed.user_interactions"] == 10 and kept["feed.listings"] == 5
    assert {name: after[name] for name in kept} == kept


def test_feeds_go_on(upgraded: Upgraded) -> None:
    with upgraded.instance.connect("former") as connection:
        connection.execute('set request.jwt.claims = \'{"role": "service_role"}\'')
        rows = connection.execute(
            """
            select f.title, f.score, s.score
            from feed.users as u
            cross join lateral api.get_feed(u.user_uid, as_of => '2024-05-10') as f
            inner join lateral feed.score_listings(u.user_uid, 'default', '2024-05-10') as s
                using (listing_id)
            """
        ).fetchall()
    assert rows
    for title, score, reference in rows:
        assert score == pytest.approx(reference, abs=1e-9), title


# A release is what it is.
if FORMER == MADE_UP:

    def test_the_made_up_state_was_another(upgraded: Upgraded) -> None:
        """Or else the tests above would prove nothing."""
        with upgraded.instance.connect("former") as connection:
            gone = upgraded.objects_before - objects(connection)
        assert gone == {
            "function feed.count_text(bigint,pg_catalog.text,pg_catalog.text,pg_catalog.text)",
            "function feed.former_helper()",
            "view analytics.former_report",
            'policy "everybody sees posters" on feed.posters',
            "trigger t95_former on feed.posters",
        }


def test_the_former_tests_pass(upgraded: Upgraded) -> None:
    """But those that were changed on purpose since: their successors are run elsewhere."""
    instance, tests = upgraded.instance, upgraded.checkout / "tests/pgtap"
    with instance.connect("former") as connection:
        world.empty(connection)
        connection.execute("create extension pgtap schema ext")
        connection.execute("create extension plpgsql_check schema ext")
    environment = instance.environment | {
        "PGDATABASE": "former",
        "PGOPTIONS": "-c search_path=tests,ext,pg_catalog -c client_min_messages=warning",
    }
    for helper in sorted((tests / "helpers").glob("*.sql")):
        run("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-f", helper, env=environment)
    # Of the made-up state they are ours, and the dumps are equal: what asks the catalogue will do.
    folders = ("contract", "grants", "policies")
    if FORMER != MADE_UP:
        folders += ("schema", "functions/api", "views/api", "triggers")
    files = [file for folder in folders for file in sorted((tests / folder).rglob("*.sql"))]
    done = run("pg_prove", "--ext", ".sql", *files, env=environment, check=False)
    failed = [
        Path(name) for name in re.findall(r"^(\S+\.sql)\s+\(Wstat", done.stdout, re.MULTILINE)
    ]
    assert bool(failed) == (done.returncode != 0), done.stdout + done.stderr

    def is_as_it_was(file: Path) -> bool:
        now = REPOSITORY / file.relative_to(upgraded.checkout)
        return now.is_file() and now.read_bytes() == file.read_bytes()

    assert not [file for file in failed if is_as_it_was(file)], done.stdout + done.stderr


def test_every_change_goes_down_and_up_again(upgraded: Upgraded) -> None:
    instance = upgraded.instance
    with instance.connect("postgres") as connection:
        connection.execute("create database steps")
    environment = instance.environment | {"PGDATABASE": "steps"}

    def apply(kind: str, change: str) -> None:
        file = REPOSITORY / f"sql/schema/{kind}/{change}.sql"
        run("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-f", file, env=environment)

    down = dump(instance, "steps")
    for change in CHANGES:
        apply("deploy", change)
        apply("verify", change)
        up = dump(instance, "steps")
        apply("revert", change)
        assert_same(down, dump(instance, "steps"), f"{change}, reverted")
        apply("deploy", change)
        assert_same(up, dump(instance, "steps"), f"{change}, deployed again")
        down = up


def test_all_goes_down_with_the_code_and_up_again(upgraded: Upgraded) -> None:
    instance = upgraded.instance
    before = dump(instance, "fresh")
    names = {"PGDATABASE": "fresh", "SQITCH_FULLNAME": "pgfeed", "SQITCH_EMAIL": "pgfeed@localhost"}
    command = ("sqitch", "revert", "-y", "db:pg:fresh")
    run(*command, env=instance.environment | names, cwd=REPOSITORY)
    with instance.connect("fresh") as connection:
        left = connection.execute(
            """
            select nspname from pg_namespace
            where nspname !~ '^pg_' and nspname not in ('information_schema', 'public', 'sqitch')
            """
        )
        assert left.fetchall() == []
    instance.bin("deploy", "fresh")
    make_months(instance)
    assert_same(before, dump(instance, "fresh"), "down and up again")


def test_an_extension_in_another_schema_is_named_and_left_alone(upgraded: Upgraded) -> None:
    instance = upgraded.instance
    with instance.connect("postgres") as connection:
        connection.execute("create database elsewhere")
    with instance.connect("elsewhere") as connection:
        connection.execute("create extension intarray")
        failed = instance.bin("deploy", "elsewhere", check=False)
        assert failed.returncode == 1
        assert "intarray is in the schema public" in failed.stderr
        assert "alter extension intarray set schema ext" in failed.stderr
        connection.execute("alter extension intarray set schema ext")
    instance.bin("deploy", "elsewhere")
