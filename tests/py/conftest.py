"""What tests share: one instance for all, scratch databases, instances that may be broken."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

import world
from harness import REPOSITORY, Instance, run

TEMPLATE = "pgfeed_template"
HELPERS = REPOSITORY / "tests/pgtap/helpers"


@pytest.fixture(scope="session")
def test_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where instances live. tests/run chooses it and clears it away; pytest alone does both."""
    chosen = os.environ.get("PGFEED_TEST_HOME")
    if chosen:
        yield Path(chosen)
        return
    # Not pytest's own folder: the servers' user could not enter it.
    folder = Path(f"/tmp/pgfeed-test-{os.getuid()}-{os.getpid()}")
    folder.mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def instance(test_home: Path) -> Iterator[Instance]:
    """The instance that most tests share: up, deployed, with no data of its own."""
    instance = Instance(test_home / "main")
    try:
        yield instance.up()
    finally:
        instance.remove()


@pytest.fixture(scope="session")
def template(instance: Instance) -> str:
    """A deployed database to copy scratch databases from, with pgTAP and its helpers."""
    instance.bin("deploy", TEMPLATE)
    with instance.connect(TEMPLATE) as connection:
        connection.execute("create extension pgtap schema ext")
        connection.execute("create extension plpgsql_check schema ext")
    for helper in sorted(HELPERS.glob("*.sql")):
        run(
            *("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-f", helper),
            env=instance.environment | {"PGDATABASE": TEMPLATE},
        )
    return TEMPLATE


@pytest.fixture
def scratch_name(instance: Instance, template: str) -> Iterator[str]:
    """The name of a fresh deployed database, dropped after the test."""
    with instance.scratch_database(template) as name:
        yield name


@pytest.fixture
def scratch(instance: Instance, scratch_name: str) -> Iterator[psycopg.Connection]:
    """A session in a fresh deployed database."""
    with instance.connect(scratch_name) as connection:
        yield connection


@pytest.fixture
def db(instance: Instance) -> Iterator[psycopg.Connection]:
    """A superuser's session in the database behind the gateway."""
    with instance.connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def gateway(instance: Instance) -> Iterator[httpx.Client]:
    with instance.client() as client:
        yield client


@pytest.fixture(scope="session")
def rest(instance: Instance) -> Iterator[httpx.Client]:
    """PostgREST itself, without the gateway."""
    with instance.client(instance.rest_url) as client:
        yield client


@pytest.fixture(scope="session")
def token(instance: Instance) -> Callable[..., str]:
    return instance.token


@pytest.fixture
def fresh_instance(test_home: Path) -> Iterator[Callable[..., Instance]]:
    """Makes instances that a test may kill, fill or break."""
    made: list[Instance] = []

    def make(*options: str, name: str = "fresh") -> Instance:
        fresh = Instance(test_home / f"{name}-{len(made)}")
        made.append(fresh)
        return fresh.up(*options)

    yield make
    for fresh in made:
        fresh.remove()


@pytest.fixture(scope="session")
def checkout_copy() -> Callable[[Path], None]:
    """Copies what a fresh clone would have, with what is not committed yet."""

    def copy(target: Path) -> None:
        command = ("git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard")
        for name in run(*command, cwd=REPOSITORY).stdout.split("\0"):
            source = REPOSITORY / name
            if name and source.is_file():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target / name)

    return copy


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder of the virtual environment and node_modules."""
    done = subprocess.run(
        ["bash", "-c", '. "$0"/bin/lib.sh; place; printf %s "$TOOLS"', str(REPOSITORY)],
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(done.stdout)


@pytest.fixture(scope="module")
def quiet(instance: Instance) -> Iterator[None]:
    """No data, and no job of pg_cron's own accord, while a module's tests run."""
    with instance.connect() as connection:
        connection.execute("update cron.job set active = false")
        world.empty(connection)
        yield
        connection.execute("update cron.job set active = true")


@pytest.fixture
def here(quiet: None, instance: Instance, gateway: httpx.Client) -> Iterator[world.Town]:
    """A town of the test's own, too far from all others to be in their feeds."""
    town = world.Town(instance, gateway)
    yield town
    town.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """Chromium. A module's own: its driver keeps an event loop running while it is open."""
    # Here, because it is only there once bin/install --test has run.
    from browser import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture
def visitor(browser: object, instance: Instance, tools: Path) -> Iterator[object]:
    """Somebody who opens pages; in the end the browser must have had nothing to complain about."""
    from browser import Visitor

    visitor = Visitor(browser, instance, tools)
    try:
        yield visitor
        assert visitor.unexpected() == []
    finally:
        visitor.close()


@pytest.fixture
def refused(here: world.Town, db: psycopg.Connection) -> Callable[..., dict]:
    """Sends a request that must fail with a status, and sees that nothing has changed."""

    def send(
        caller: object | None,
        method: str,
        path: str,
        status: int,
        *,
        code: str | None = None,
        says: str = "",
        **options: object,
    ) -> dict:
        before = world.fingerprint(db)
        answer = here.call(caller, method, path, **options)
        error = world.assert_error(answer, status, code=code, says=says)
        assert world.fingerprint(db) == before
        return error

    return send
