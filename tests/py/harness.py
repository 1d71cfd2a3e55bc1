"""Instances and databases for tests: the same bin/ commands that a person uses."""

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg

from pgfeed.instance import signed_token

REPOSITORY = Path(__file__).resolve().parents[2]
BINARIES = Path("/usr/lib/postgresql/15/bin")

# Nothing of a test's cluster must outlive the machine, and many may run at once.
POSTGRESQL_SETTINGS = """\
fsync = off
shared_buffers = 256MB
max_wal_size = 1GB
"""

# Tests ask as often as they can, all from one address; those of the limits set their own.
GATEWAY_SETTINGS = {
    "PGFEED_TOKEN_RATE": "100000",
    "PGFEED_ADDRESS_RATE": "100000",
    "PGFEED_CLIENT_REQUESTS": "9999",
}

# What the caller's shell may point at is no business of the tests.
FOREIGN = ("PGFEED_", "PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGOPTIONS", "PGSERVICE")


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment without what points at another instance."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return kept | extra


def run(*command: str | Path, check: bool = True, **options: object) -> subprocess.CompletedProcess:
    """Runs a command without a terminal; a failure shows what it printed."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        **options,
    )
    if check and done.returncode != 0:
        __tracebackhide__ = True
        words = " ".join(str(word) for word in command)
        raise AssertionError(f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def until(
    condition: Callable[[], object], what: str = "what was waited for", seconds: float = 90
) -> object:
    """Waits for a condition and gives what it met; the limit only ends a broken test."""
    deadline = time.monotonic() + seconds
    while not (met := condition()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)
    return met


def copy_cluster(cluster: Path, target: Path) -> None:
    """Copies the data folder of a stopped PostgreSQL, owners and all."""
    run("cp", "-a", "--reflink=auto", "-T", cluster, target)


@dataclass
class Instance:
    """One private cluster with its PostgREST and gateway."""

    home: Path
    values: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=GATEWAY_SETTINGS.copy)

    def bin(self, name: str, *arguments: str, **options: object) -> subprocess.CompletedProcess:
        """Runs a command of bin/ against this instance."""
        environment = clean_environment(PGFEED_HOME=str(self.home), **self.settings)
        return run(REPOSITORY / "bin" / name, *arguments, env=environment, **options)

    def begin_with(self, cluster: Path) -> "Instance":
        """Has for its own a copy of a stopped cluster that bin/up has made elsewhere."""
        self.home.mkdir(parents=True, exist_ok=True)
        copy_cluster(cluster, self.home / "data")
        return self

    def up(self, *options: str) -> "Instance":
        self.home.mkdir(parents=True, exist_ok=True)
        settings = self.home / "postgresql.local.conf"
        if not settings.exists():
            settings.write_text(POSTGRESQL_SETTINGS)
        self.bin("up", *options)
        self.read_env()
        return self

    def read_env(self) -> None:
        lines = (self.home / "env").read_text().splitlines()
        self.values = dict(line.split("=", 1) for line in lines)

    def down(self) -> None:
        self.bin("down")

    @property
    def url(self) -> str:
        return self.values["PGFEED_URL"]

    @property
    def rest_url(self) -> str:
        return self.values["PGFEED_REST_URL"]

    @property
    def secret(self) -> str:
        return (self.home / "jwt.secret").read_text().strip()

    @property
    def environment(self) -> dict[str, str]:
        """What libpq and the command line need to work on this instance."""
        return clean_environment(**self.values, PGFEED_HOME=str(self.home))

    def dsn(self, database: str = "pgfeed", user: str = "postgres") -> str:
        values = self.values
        return f"host={values['PGHOST']} port={values['PGPORT']} dbname={database} user={user}"

    def connect(
        self, database: str = "pgfeed", user: str = "postgres", autocommit: bool = True
    ) -> psycopg.Connection:
        return psycopg.connect(self.dsn(database, user), autocommit=autocommit)

    def token(self, user_uid: object | None = None, role: str = "authenticated") -> str:
        user = str(user_uid) if user_uid is not None else None
        return signed_token(self.secret, user, role)

    def authorization(
        self, user_uid: object | None = None, role: str = "authenticated"
    ) -> dict[str, str]:
        """The request headers of a user, or of another role."""
        return {"Authorization": f"Bearer {self.token(user_uid, role)}"}

    def client(self, url: str | None = None) -> httpx.Client:
        return httpx.Client(base_url=url or self.url, timeout=60, trust_env=False)

    def server_dsn(self, member: int, user: str = "postgres") -> str:
        """The database of one of several servers: 0 lies in the home itself, others in replicaK."""
        folder = self.home / f"replica{member}" if member else self.home
        socket_dir = (folder / "data/postmaster.pid").read_text().splitlines()[4]
        return f"host={socket_dir} port=5432 dbname=pgfeed user={user}"

    @contextmanager
    def standby(self) -> Iterator[str]:
        """A streaming copy of the cluster for as long as it is wanted; gives its database."""
        self.settings["PGFEED_REPLICAS"] = "1"
        self.bin("up", "--no-http", "--no-deploy")
        try:
            yield self.server_dsn(1)
        finally:
            del self.settings["PGFEED_REPLICAS"]
            self.bin("up", "--no-http", "--no-deploy")

    def pid(self, name: str) -> int:
        """The pid of postgres, postgrest or nginx."""
        file = "data/postmaster.pid" if name == "postgres" else f"run/{name}.pid"
        return int((self.home / file).read_text().split()[0])

    @contextmanager
    def scratch_database(self, template: str) -> Iterator[str]:
        """A database of its own, copied from a deployed one; gone afterwards."""
        name = f"scratch_{uuid.uuid4().hex[:12]}"
        with self.connect("postgres") as connection:
            connection.execute(f'create database "{name}" template "{template}"')
            # A copy has the default rights of a database, not those of its template.
            connection.execute(f'revoke all on database "{name}" from public')
            granted = connection.execute(
                """
                select format('grant %%s on database %%I to %%I', a.privilege_type, %s::text,
                    a.grantee::regrole)
                from pg_database as d, aclexplode(d.datacl) as a
                where d.datname = %s and a.grantee <> d.datdba
                """,
                (name, template),
            )
            for (grant,) in granted.fetchall():
                connection.execute(grant)
            try:
                yield name
            finally:
                connection.execute(f'drop database "{name}" with (force)')

    def apply_code(self, database: str, engine: str) -> subprocess.CompletedProcess:
        """Replaces the code of a database by that of an engine."""
        environment = clean_environment(PGFEED_HOME=str(self.home), PGFEED_ENGINE=engine)
        command = (REPOSITORY / "bin/apply-code", "--dsn", self.dsn(database))
        return run(*command, env=environment)

    def remove(self) -> None:
        if self.home.exists():
            self.bin("down", check=False)
            shutil.rmtree(self.home, ignore_errors=True)


def as_server(program: str, *arguments: str | Path, check: bool = True, **variables: str) -> None:
    """Runs a program of PostgreSQL as bin/up does: root becomes postgres."""
    command = [str(BINARIES / program), *(str(word) for word in arguments)]
    if os.geteuid() == 0:
        command = [
            "setpriv",
            "--reuid=postgres",
            "--regid=postgres",
            "--init-groups",
            "--",
            "env",
            "HOME=/tmp",
            *command,
        ]
    subprocess.run(
        command,
        check=check,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | variables,
    )
