"""What tests share: one instance for all, scratch databases, instances that may be broken."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

import world
from harness import POSTGRESQL_SETTINGS, REPOSITORY, Instance, copy_cluster, run

TEMPLATE = "pgfeed_template"
HELPERS = REPOSITORY / "tests/pgtap/helpers"

# Files that take longest, in this order, before all others: several processes then end together.
LONGEST = (
    "test_demo",
    "test_setup",
    "test_replicas",
    "test_synth",
    "test_lint",
    "test_page",
    "test_dashboard",
    "test_fuzz",
    "test_crash",
    "test_training",
    "test_spark",
    "test_jobs",
    "test_pgtap",
    "test_bench",
    "test_upgrade",
    "test_load",
    "test_engine_exact",
    "test_engine_live",
    "test_managed",
)

# Set where several processes share the work: gw0, gw1, ...
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {f"{name}.py": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests have measured: record_property gets here from every process, print does not."""
    reports = terminalreporter.getreports("passed")
    figures = [
        pair for report in reports if report.when == "call" for pair in report.user_properties
    ]
    if figures:
        terminalreporter.section("figures")
        for name, value in figures:
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(scope="session")
def run_home() -> Iterator[Path]:
    """The folder of the whole run: tests/run makes and removes it; pytest alone does both."""
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
def test_home(run_home: Path) -> Path:
    """Where this process has its instances."""
    folder = run_home / WORKER
    folder.mkdir(mode=0o755, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def clusters(run_home: Path) -> Path:
    """Stopped clusters to begin with: `deployed` by bin/up, `shared` with the template beside.

    Whichever process needs them first makes them, for all.
    """
    folder = run_home / "clusters"
    folder.mkdir(exist_ok=True)
    is_ready = folder / "is_ready"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_ready.exists():
            maker = Instance(folder / "maker")
            maker.home.mkdir(exist_ok=True)
            # Empty WAL need not be copied.
            settings = POSTGRESQL_SETTINGS + "wal_recycle = off\nmin_wal_size = 32MB\n"
            (maker.home / "postgresql.local.conf").write_text(settings)
            maker.up("--no-http")
            maker.down()
            copy_cluster(maker.home / "data", folder / "deployed")
            maker.up("--no-http", "--no-deploy")
            make_template(maker)
            maker.down()
            (maker.home / "data").rename(folder / "shared")
            is_ready.touch()
    return folder


def make_template(instance: Instance) -> None:
    """A deployed database to copy scratch databases from, with pgTAP and its helpers."""
    instance.bin("deploy", TEMPLATE)
    with instance.connect(TEMPLATE) as connection:
        connection.execute("create extension pgtap schema ext")
        connection.execute("create extension plpgsql_check schema ext")
    files = [word for helper in sorted(HELPERS.glob("*.sql")) for word in ("-f", helper)]
    command = ("psql", "-Xq", "-v", "ON_ERROR_STOP=1", *files)
    run(*command, env=instance.environment | {"PGDATABASE": TEMPLATE})


@pytest.fixture(scope="session")
def deployed(clusters: Path) -> Path:
    """What bin/up makes of nothing, without its servers: an instance may begin with a copy."""
    return clusters / "deployed"


@pytest.fixture(scope="session")
def instance(test_home: Path, clusters: Path) -> Iterator[Instance]:
    """The instance that most tests share: up, deployed, with no data of its own."""
    instance = Instance(test_home / "main").begin_with(clusters / "shared")
    try:
        yield instance.up()
    finally:
        instance.remove()


@pytest.fixture(scope="session")
def template(instance: Instance) -> str:
    """The name of a deployed database to copy scratch databases from."""
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
def fresh_instance(test_home: Path, deployed: Path) -> Iterator[Callable[..., Instance]]:
    """Makes instances that a test may kill, fill or break."""
    made: list[Instance] = []

    def make(*options: str, name: str = "fresh") -> Instance:
        fresh = Instance(test_home / f"{name}-{len(made)}").begin_with(deployed)
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
