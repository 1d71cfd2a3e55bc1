"""The instance that is measured: its servers, its world, its sessions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from pgfeed import synth

# Limits for users of a service are none for whoever measures it.
UNLIMITED = {
    "PGFEED_TOKEN_RATE": "100000",
    "PGFEED_ADDRESS_RATE": "100000",
    "PGFEED_CLIENT_REQUESTS": "9999",
}

# Worlds between those of `pgfeed synth`, for the plot.
PLOT_SCALES = {
    "plot-10k": synth.Scale(10, 1_000, 10_000, 100_000, 48),
    "plot-30k": synth.Scale(11, 3_000, 30_000, 300_000, 56),
    "plot-300k": synth.Scale(12, 30_000, 300_000, 3_000_000, 80),
}


class Server:
    """An instance of the repository's, in a folder of its own."""

    def __init__(self, repository: Path, home: Path) -> None:
        self.repository = repository
        self.home = home
        # Of bin/up, beside those that whoever measures always has.
        self.settings: dict[str, str] = {}

    def bin(self, name: str, *arguments: str) -> None:
        """Runs a command of bin/ on this instance; what it says goes to standard error."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "PGFEED_"))}
        tools = {k: v for k, v in os.environ.items() if k in ("PGFEED_TOOLS", "PGFEED_POSTGREST")}
        subprocess.run(
            [self.repository / "bin" / name, *arguments],
            env=kept | tools | UNLIMITED | self.settings | {"PGFEED_HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            check=True,
        )

    @property
    def values(self) -> dict[str, str]:
        lines = (self.home / "env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    @property
    def url(self) -> str:
        return self.values["PGFEED_URL"]

    @property
    def secret(self) -> str:
        return (self.home / "jwt.secret").read_text().strip()

    def connect(self, database: str = "", **options: object) -> psycopg.Connection:
        """A superuser's session."""
        values = self.values
        return psycopg.connect(
            host=values["PGHOST"],
            port=values["PGPORT"],
            user=values["PGUSER"],
            dbname=database or values["PGDATABASE"],
            application_name="pgfeed bench",
            **{"autocommit": True} | options,
        )

    def remove(self) -> None:
        """Stops it, and all of it is gone."""
        self.bin("down")
        shutil.rmtree(self.home)

    def has_world(self) -> bool:
        """Is a world loaded and trained?"""
        with self.connect() as connection:
            return connection.execute(
                "select c.model_id is not null and exists (select from feed.listing_blocks)"
                " from ml.current_model as c"
            ).fetchone()[0]

    @contextmanager
    def without_schedule(self) -> Iterator[None]:
        """Keeps pg_cron's jobs from starting meanwhile."""
        with self.connect() as connection:
            jobs = [row[0] for row in connection.execute("select jobid from cron.job where active")]
            for job in jobs:
                connection.execute("select cron.alter_job(%s, active := false)", (job,))
        try:
            yield
        finally:
            with self.connect() as connection:
                for job in jobs:
                    connection.execute("select cron.alter_job(%s, active := true)", (job,))


def make_world(server: Server, scale: str) -> None:
    """Loads the world of a scale and runs the jobs, if there is none yet."""
    if server.has_world():
        return
    if scale in synth.SCALES:
        server.bin("pgfeed", "synth", "--scale", scale)
    else:
        program = (
            "import sys; from pgfeed import synth; from pgfeed.bench.server import PLOT_SCALES;"
            " synth.SCALES.update(PLOT_SCALES); from pgfeed.cli import cli;"
            " cli(['synth', '--scale', sys.argv[1]])"
        )
        values = server.values
        environment = {name: values[name] for name in ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER")}
        subprocess.run(
            [sys.executable, "-c", program, scale],
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            check=True,
        )
    server.bin("pgfeed", "train")


def memory_mb(pid: int, kind: str = "RssAnon") -> float:
    """A process's memory: RssAnon is its own, VmHWM the greatest resident size so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"no {kind} of process {pid}")
