"""pgfeed access-log: every line is counted once, through rotations, kills and garbage."""

import json
import shutil
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from harness import REPOSITORY, Instance
from pgfeed import access_log
from pgfeed.access_log import LogReader, Progress, parse
from test_jobs import until, value

START = datetime(2026, 6, 1, 8, 30, tzinfo=UTC)
TOTAL = "select coalesce(sum(request_count), 0)::int from ops.request_counts"


def line(number: int, milliseconds: int = 7, status: int = 200, route: str = "feed") -> str:
    """The number-th line of a log: as the gateway writes it, a second after the one before."""
    entry = {
        "time": (START + timedelta(seconds=number)).isoformat(),
        "method": "GET",
        "uri": "/api/v1/feed",
        "route": route,
        "status": status,
        "bytes": 4000,
        "request_time": milliseconds / 1000,
        "upstream_time": None,
    }
    return json.dumps(entry) + "\n"


def write(path: Path, first: int, count: int) -> None:
    with path.open("a") as file:
        file.writelines(line(number) for number in range(first, first + count))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.touch()
    return path


@pytest.fixture
def reader(scratch: psycopg.Connection, log: Path) -> LogReader:
    return LogReader(scratch, log, "here")


# ---------------------------------------------------------------------- lines


def test_a_line_is_read() -> None:
    request = parse(line(1, 12, 503, "trending").encode())
    assert request == (datetime(2026, 6, 1, 8, tzinfo=UTC), "trending", 5, 12.0)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xff\x00",
        b"127.0.0.1 - - [01/Jun/2026] GET / 200",
        b"[]",
        b"{}",
        b"[" * 100_000,
        line(1).replace("200", "000").encode(),
        line(1).replace("200", "900").encode(),
        line(1).replace("0.007", "-1").encode(),
        line(1).replace("0.007", "NaN").encode(),
        line(1).replace("0.007", '"quick"').encode(),
        line(1).replace("+00:00", "").encode(),
        line(1).replace("2026-06-01", "0001-01-01").replace("+00:00", "+14:00").encode(),
        line(1, route="\ud800").encode(),
        line(1, route="a" * 41).encode(),
        line(1)[:50].encode(),
    ],
)
def test_what_is_no_line_of_ours_is_skipped(garbage: bytes) -> None:
    assert parse(garbage) is None


# ---------------------------------------------------------------------- exactly once


def test_it_reads_on_from_where_it_stopped(
    scratch: psycopg.Connection, log: Path, reader: LogReader
) -> None:
    write(log, 0, 3)
    assert reader.look() == Progress(lines=3)
    assert reader.is_settled()
    assert reader.look() == Progress()

    # A line that is still being written, after one that is none.
    torn = line(4)
    with log.open("a") as file:
        file.write("oops\n\n" + line(3) + torn[:40])
    assert not reader.is_settled()
    assert reader.look() == Progress(lines=1, skipped=2)
    assert reader.is_settled()
    with log.open("a") as file:
        file.write(torn[40:])
    assert reader.look() == Progress(lines=1)
    assert value(scratch, TOTAL) == 5

    # Another process knows it all.
    assert LogReader(scratch, log, "here").look() == Progress()
    row = scratch.execute("select line_count, skipped_count, read_bytes from ops.access_logs")
    assert row.fetchall() == [(5, 2, log.stat().st_size)]
    # The same path on another machine is another log.
    assert LogReader(scratch, log, "there").look() == Progress(lines=5, skipped=2)


def test_in_small_pieces(
    scratch: psycopg.Connection, log: Path, reader: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "CHUNK_BYTES", 400)
    write(log, 0, 50)
    with log.open("a") as file:
        file.write("x" * 1000 + "\n")
    write(log, 50, 5)
    progress = reader.look()
    # A line longer than a piece is garbage, in one piece or in several.
    assert progress.lines == 55 and 1 <= progress.skipped <= 4
    assert value(scratch, TOTAL) == 55


@pytest.mark.parametrize("is_compressed_later", [False, True])
def test_rename_and_a_new_file(
    scratch: psycopg.Connection,
    log: Path,
    reader: LogReader,
    monkeypatch: pytest.MonkeyPatch,
    is_compressed_later: bool,
) -> None:
    write(log, 0, 5)
    reader.look()
    write(log, 5, 2)
    former = log.rename(log.with_name("access.log.1"))
    # Before there is a new one; the servers write on into the old one.
    assert reader.look() == Progress(lines=2)
    write(former, 7, 1)
    write(log, 100, 4)
    write(former, 8, 1)
    assert reader.look() == Progress(lines=6)
    assert not reader.is_settled()
    with former.open("a") as file:
        file.write(line(9)[:-1])
    assert reader.look() == Progress()

    monkeypatch.setattr(access_log, "GRACE", timedelta(0))
    if is_compressed_later:
        former.unlink()
    else:
        former.rename(log.with_name("access.log.2"))
    # What nobody will end is a line as it is.
    assert reader.look() == Progress(lines=0 if is_compressed_later else 1)
    assert value(scratch, "select count(*) from ops.access_logs") == 1
    reader.look()
    assert reader.is_settled()
    assert value(scratch, TOTAL) == 14 - is_compressed_later


def test_rotated_several_times_between_two_looks(
    scratch: psycopg.Connection, log: Path, reader: LogReader
) -> None:
    """Only what was begun can be found again: cron has to come by between two rotations."""
    write(log, 0, 5)
    reader.look()
    write(log, 5, 1)
    log.rename(log.with_name("access.log.2"))
    write(log, 10, 2)
    log.rename(log.with_name("access.log.1"))
    write(log, 20, 3)
    assert reader.look() == Progress(lines=4)


def test_copied_and_truncated(scratch: psycopg.Connection, log: Path, reader: LogReader) -> None:
    write(log, 0, 5)
    reader.look()
    write(log, 5, 2)
    shutil.copy(log, log.with_name("access.log.1"))
    with log.open("r+") as file:
        file.truncate(0)
    write(log, 100, 1)
    assert reader.look() == Progress(lines=3)
    # Truncated and grown beyond where we stood: the first bytes tell.
    shutil.copy(log, log.with_name("access.log.2"))
    with log.open("r+") as file:
        file.truncate(0)
    write(log, 200, 50)
    assert reader.look() == Progress(lines=50)
    # A copy older than what we had read holds nothing new.
    shutil.copy(log, log.with_name("access.log.3"))
    write(log, 250, 1)
    assert reader.look() == Progress(lines=1)
    with log.open("r+") as file:
        file.truncate(0)
    assert reader.look() == Progress()
    assert value(scratch, TOTAL) == 5 + 2 + 1 + 50 + 1


def test_a_log_that_is_gone_is_told(log: Path, reader: LogReader) -> None:
    write(log, 0, 5)
    reader.look()
    log.unlink()
    assert reader.look() == Progress(is_lost=True)
    assert reader.look() == Progress()
    write(log, 10, 2)
    assert reader.look() == Progress(lines=2)


def test_two_readers_at_once_count_once(
    instance: Instance, scratch: psycopg.Connection, scratch_name: str, log: Path
) -> None:
    write(log, 0, 500)
    found: list[int] = []

    def read() -> None:
        with instance.connect(scratch_name) as connection:
            found.append(LogReader(connection, log, "here").look().lines)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found) == 500
    assert value(scratch, TOTAL) == 500


def test_killed_in_the_middle_it_loses_and_doubles_nothing(
    instance: Instance, scratch: psycopg.Connection, scratch_name: str, log: Path
) -> None:
    command = [sys.executable, "-m", "pgfeed", "access-log", str(log)]
    environment = instance.environment | {
        "PGDATABASE": scratch_name,
        "PYTHONPATH": str(REPOSITORY / "python"),
    }
    waiting = """
        select count(*) from pg_stat_activity
        where application_name = 'pgfeed access-log' and wait_event_type = 'Lock'
            and datname = current_database()
    """
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    write(log, 0, 100)
    # Before it has counted; and when it has, but cannot say how far.
    for table in ("ops.request_counts", "ops.access_logs"):
        with instance.connect(scratch_name, autocommit=False) as obstacle:
            obstacle.execute(f"lock table {table} in share mode")
            process = subprocess.Popen(command, env=environment)
            until(lambda: value(scratch, waiting), "the reader waits")
            process.send_signal(signal.SIGKILL)
            process.wait()
            obstacle.rollback()
    until(
        lambda: (
            not value(
                scratch,
                "select count(*) from pg_stat_activity where application_name = 'pgfeed access-log'"
                " and datname = current_database()",
            )
        ),
        "its session is gone",
    )
    assert value(scratch, TOTAL) == 0
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout == "access-log: 100 requests, 0 lines skipped\n", done.stderr
    assert value(scratch, TOTAL) == 100


def test_it_follows_through_a_rotation_and_a_lost_connection(
    instance: Instance, scratch: psycopg.Connection, scratch_name: str, log: Path
) -> None:
    write(log, 0, 3)
    process = subprocess.Popen(
        [sys.executable, "-m", "pgfeed", "access-log", "--follow", "--every", "0.1", str(log)],
        env=instance.environment
        | {"PGDATABASE": scratch_name, "PYTHONPATH": str(REPOSITORY / "python")},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: value(scratch, TOTAL) == 3, "what was there is counted")
        log.rename(log.with_name("access.log.1"))
        write(log, 10, 2)
        until(lambda: value(scratch, TOTAL) == 5, "and the new log")
        scratch.execute(
            """
            select pg_terminate_backend(a.pid) from pg_stat_activity as a
            where a.application_name = 'pgfeed access-log' and a.datname = current_database()
            """
        )
        write(log, 12, 4)
        until(lambda: value(scratch, TOTAL) == 9, "it has connected again")
        assert process.poll() is None
    finally:
        process.terminate()
        _, told = process.communicate()
    assert "trying again in 0.1 s" in told


# ---------------------------------------------------------------------- the instance's own


def test_the_instance_counts_what_its_gateway_answers(
    instance: Instance, db: psycopg.Connection, gateway: httpx.Client
) -> None:
    count = """
        select coalesce(sum(request_count), 0)::int from analytics.feed_latency
        where route = 'explain'
    """
    before = value(db, count)
    for _ in range(3):
        assert gateway.get("/api/v1/feed/explain/no-listing").status_code == 400
    until(lambda: value(db, count) == before + 3, "the requests are counted")
