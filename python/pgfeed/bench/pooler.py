"""PostgRESTs of an instance's database that come directly, or through one pgbouncer."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PORT = 6432

# Root's servers run as another user: bin/lib.sh knows as whom, and where PostgREST is.
RUN = '. "$0/bin/lib.sh"; place; export POSTGREST; exec "${AS_SERVER[@]}" "$@"'


@contextmanager
def process(
    repository: Path, home: Path, command: list[str | Path], **variables: str
) -> Iterator[subprocess.Popen]:
    """A server of the instance's user, for as long as the block lasts."""
    server = subprocess.Popen(
        ["bash", "-c", RUN, repository, *command],
        env=os.environ | {"PGFEED_HOME": str(home)} | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield server
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def free_port() -> int:
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        return candidate.getsockname()[1]


@contextmanager
def pgbouncer(
    repository: Path, home: Path, values: dict[str, str], sessions: int
) -> Iterator[Path]:
    """pgbouncer before the instance's database; gives the folder of its socket."""
    folder = Path(tempfile.mkdtemp(prefix="pgfeed-pool-"))
    settings = (repository / "deploy/pgbouncer.ini").read_text()
    for name, value in {
        "DATABASE": values["PGDATABASE"],
        "SOCKET_DIR": values["PGHOST"],
        "PGPORT": values["PGPORT"],
        "FOLDER": str(folder),
        "PORT": str(PORT),
        "SESSIONS": str(sessions),
    }.items():
        settings = settings.replace(f"@{name}@", value)
    (folder / "pgbouncer.ini").write_text(settings)
    (folder / "users.txt").write_text('"authenticator" ""\n')
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "postgres", "postgres")
    try:
        with process(repository, home, ["pgbouncer", "-q", folder / "pgbouncer.ini"]):
            while not (folder / f".s.PGSQL.{PORT}").exists():
                time.sleep(0.05)
            yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def postgrests(
    repository: Path, home: Path, count: int, pool_folder: Path | None = None
) -> Iterator[list[str]]:
    """As many PostgRESTs, through pgbouncer where its folder is given; their addresses."""
    through = {}
    if pool_folder is not None:
        through = {
            "PGRST_DB_URI": f"host={pool_folder} port={PORT} dbname=pgfeed user=authenticator",
            "PGRST_DB_PREPARED_STATEMENTS": "false",
            "PGRST_DB_CHANNEL_ENABLED": "false",
        }
    with ExitStack() as stack:
        addresses = []
        for _ in range(count):
            port, admin_port = free_port(), free_port()
            command = ["bash", "-c", 'exec "$POSTGREST" "$0"', home / "conf/postgrest.conf"]
            ports = {"PGRST_SERVER_PORT": str(port), "PGRST_ADMIN_SERVER_PORT": str(admin_port)}
            server = process(repository, home, command, **through, **ports)
            started = stack.enter_context(server)
            while not is_ready(admin_port):
                if started.poll() is not None:
                    raise RuntimeError("PostgREST ended at once")
                time.sleep(0.05)
            addresses.append(f"http://127.0.0.1:{port}")
        yield addresses


def is_ready(admin_port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin_port}/ready", timeout=5):
            return True
    except OSError:
        return False
