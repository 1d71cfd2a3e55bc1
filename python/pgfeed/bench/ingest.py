"""Interactions a second, one a commit, beside inserts into the same log without triggers.

pgbench writes: its processes cost the machine little beside the server's, and the same for both.
Both are measured between two checkpoints, as a server is nearly always: after one, each page is
written whole into the WAL once, and in a run of seconds that would be most of what is measured.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgfeed.bench.feeds import Bench, paired
from pgfeed.bench.figures import Figure
from pgfeed.bench.server import Server

BINARIES = Path("/usr/lib/postgresql/15/bin")
FOLDER = Path(__file__).parent
CLIENTS = 16
# Users, and listings: enough that two clients seldom meet.
NUMBER = 10_000
ID = "('be9cbe9c-be9c-4e9c-8e9c-' || lpad(to_hex({}), 12, '0'))::uuid"
RANGE = {"first": ID.format(0), "last": ID.format(NUMBER)}

# A listing of many, or always the same.
LISTINGS = {"spread": f"random(1, {NUMBER})", "hot": "1"}

INSERT = """
\\set user random(1, {number})
\\set listing {listing}
insert into {table} (user_uid, listing_id, type, metadata)
values ({user_uid}, {listing_id}, 'view', '{{"seconds": 42}}');
"""

# As PostgREST does it: the claims, then the call, in one transaction.
CALL = """
\\set user random(1, {number})
\\set listing {listing}
begin;
select
    set_config('role', 'authenticated', true),
    set_config('request.jwt.claims', json_build_object('sub', {user_uid})::text, true);
select api.track_interaction({listing_id}, 'view', '{{"seconds": 42}}');
commit;
"""


def ingest(bench: Bench) -> Iterator[Figure]:
    """All over the listings, and all on one; direct inserts, and through the API."""
    unit = "interactions/s"
    with _scratch(bench.server):
        for spread, listing in LISTINGS.items():
            log = _script(INSERT, listing, table="feed.user_interactions")
            bare = _script(INSERT, listing, table="bench_ingest.bare")
            with bench.stages.stage(f"interactions, {spread}"):
                _warm_up(bench, log, bare)
                ours, baseline = paired(
                    lambda script=log: _transactions_a_second(bench, script),
                    lambda script=bare: _transactions_a_second(bench, script),
                    bench.sizes.ingest_rounds,
                )
            ratio = ours / baseline
            yield bench.figure(f"ingest_{spread}", ours, unit, baseline=baseline, ratio=ratio)
        with bench.stages.stage("interactions through the API"):
            call = _script(CALL, LISTINGS["spread"])
            _warm_up(bench, call)
            called = _transactions_a_second(bench, call)
        yield bench.figure("ingest_api", called, unit)


def _script(template: str, listing: str, **names: str) -> str:
    return template.format(
        number=NUMBER,
        listing=listing,
        user_uid=ID.format(":user::integer"),
        listing_id=ID.format(":listing::integer"),
        **names,
    )


@contextmanager
def _scratch(server: Server) -> Iterator[None]:
    """Users, listings and a bare log, gone afterwards with all that was written."""
    _run(server, "ingest_clean.sql", **RANGE)
    try:
        _run(server, "ingest.sql", number=str(NUMBER))
        yield
    finally:
        _run(server, "ingest_clean.sql", **RANGE)


def _run(server: Server, file: str, **variables: str) -> None:
    settings = [f"--set={name}={value}" for name, value in variables.items()]
    _client(server, "psql", "-Xq", "-v", "ON_ERROR_STOP=1", *settings, "-f", str(FOLDER / file))


def _warm_up(bench: Bench, *scripts: str) -> None:
    with bench.server.connect() as connection:
        connection.execute("checkpoint")
    for script in scripts:
        _transactions_a_second(bench, script)


def _transactions_a_second(bench: Bench, script: str) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        load = ("-c", str(CLIENTS), "-T", str(bench.sizes.ingest_seconds))
        output = _client(bench.server, "pgbench", "-n", "-M", "prepared", *load, "-f", file.name)
    failed = re.search(r"number of failed transactions: (\d+)", output)
    found = re.search(r"^tps = ([0-9.]+)", output, re.MULTILINE)
    if found is None or failed is None or failed[1] != "0":
        raise RuntimeError(f"pgbench failed:\n{output}")
    return float(found[1])


def _client(server: Server, program: str, *options: str) -> str:
    names = ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER")
    done = subprocess.run(
        [BINARIES / program, *options],
        env={name: server.values[name] for name in names},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout
