"""The gateway's access log into a histogram: how long requests took, by hour and route.

How far a file has been read is a row of ops.access_logs, and it moves in the transaction that
counts the lines: whatever is killed, and wherever, every line is counted once. A file is known by
its first bytes, not by its name, so that it is found again when it was renamed (logrotate) or
copied and truncated (copytruncate).
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg.rows import class_row

HEAD_BYTES = 1024
"""So many first bytes tell one log from another: several lines, each with its time."""

CHUNK_BYTES = 4 << 20
"""Read in one transaction. No line of ours is as long."""

GRACE = timedelta(minutes=2)
"""Servers write into a renamed file until they are told to open the new one."""

ROUTE = re.compile(r"[a-z0-9_-]{0,40}")
"""The gateway's own words; anything else was not written by it."""


class Request(NamedTuple):
    """What is counted of a line; many lines are the same."""

    hour: datetime
    route: str
    status_class: int
    milliseconds: float


def parse(line: bytes) -> Request | None:
    """A line of the gateway's log format `requests`; None if it is none."""
    try:
        entry = json.loads(line)
        at = datetime.fromisoformat(entry["time"])
        status_class = int(entry["status"]) // 100
        milliseconds = round(float(entry["request_time"]) * 1000, 3)
        route = str(entry["route"])
        is_request = (
            at.tzinfo is not None
            and 1 <= status_class <= 5
            and 0 <= milliseconds < 1e9
            and ROUTE.fullmatch(route) is not None
        )
        hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return Request(hour, route, status_class, milliseconds) if is_request else None


@dataclass
class Reading:
    """A row of ops.access_logs."""

    log_no: int
    inode: int
    head_size: int
    head_hash: str
    read_bytes: int
    rotated_at: datetime | None
    checked_at: datetime

    @property
    def may_have_more(self) -> bool:
        """Was it rotated away before it had been read to its end?"""
        return self.head_size > 0 and (self.rotated_at is None or self.checked_at < self.rotated_at)


@dataclass(frozen=True)
class Progress:
    """What a look at the log has brought."""

    lines: int = 0
    skipped: int = 0
    is_lost: bool = False
    """A file was rotated away before it had been read to its end, and is not to be found."""

    def __add__(self, other: Progress) -> Progress:
        return Progress(
            self.lines + other.lines, self.skipped + other.skipped, self.is_lost or other.is_lost
        )


def hash_of(head: bytes) -> str:
    return hashlib.sha256(head).hexdigest()


def is_same(file: int, reading: Reading) -> bool:
    """Is the open file the one of which this much has been read?"""
    if reading.head_size == 0:
        return os.fstat(file).st_ino == reading.inode
    return hash_of(os.pread(file, reading.head_size, 0)) == reading.head_hash


class LogReader:
    """Reads one log of one gateway, with whatever has been rotated away from it."""

    def __init__(self, connection: psycopg.Connection, path: Path, source: str) -> None:
        self._connection = connection
        self._path = path
        self._source = source
        self._settled: tuple[int, int] | None = None

    def look(self) -> Progress:
        """Counts everything that stands in the log and in its predecessors."""
        self._settled = None
        state = self._state()
        progress = Progress()
        while True:
            step, is_all = self._step()
            progress += step
            if is_all:
                break
        with self._connection.transaction():
            if [reading.rotated_at for reading in self._readings()] == [None]:
                self._settled = state
        return progress

    def is_settled(self) -> bool:
        """Has the file not changed since it was read, with none of its predecessors in wait?"""
        return self._settled is not None and self._settled == self._state()

    def _state(self) -> tuple[int, int] | None:
        with suppress(FileNotFoundError):
            found = self._path.stat()
            return found.st_ino, found.st_size
        return None

    def _step(self) -> tuple[Progress, bool]:
        """One transaction: a chunk of every file. Says whether all has been read."""
        progress, is_all = Progress(), True
        with self._connection.transaction():
            # Another reader of the same log waits here, and goes on where this one ends.
            self._connection.execute(
                "select pg_advisory_xact_lock(hashtextextended(%s, 0))",
                (f"pgfeed access-log {self._source} {self._path}",),
            )
            for reading in self._readings():
                if reading.rotated_at is None:
                    step, is_read = self._read_current(reading)
                else:
                    step, is_read = self._read_rotated(reading)
                progress += step
                is_all = is_all and is_read
            if not any(reading.rotated_at is None for reading in self._readings()):
                is_new = self._enter_current()
                is_all = is_all and not is_new
        return progress, is_all

    def _readings(self) -> list[Reading]:
        with self._connection.cursor(row_factory=class_row(Reading)) as cursor:
            return cursor.execute(
                """
                select
                    l.log_no, l.inode, l.head_size, l.head_hash, l.read_bytes, l.rotated_at,
                    l.checked_at
                from ops.access_logs as l
                where l.source = %s and l.path = %s
                order by l.log_no
                """,
                (self._source, str(self._path)),
            ).fetchall()

    def _enter_current(self) -> bool:
        """Begins with the file at the path; False if there is none."""
        try:
            inode = self._path.stat().st_ino
        except FileNotFoundError:
            return False
        self._connection.execute(
            "insert into ops.access_logs (source, path, inode) values (%s, %s, %s)",
            (self._source, str(self._path), inode),
        )
        return True

    def _read_current(self, reading: Reading) -> tuple[Progress, bool]:
        with opened(self._path) as file:
            if file is not None and is_same(file, reading) and reading.read_bytes <= size_of(file):
                return self._read_chunk(file, reading, is_over=False)
        # Another file stands there, or the same one begins anew.
        self._connection.execute(
            "update ops.access_logs set rotated_at = now() where log_no = %s", (reading.log_no,)
        )
        return self._read_rotated(reading)

    def _read_rotated(self, reading: Reading) -> tuple[Progress, bool]:
        is_over = reading.rotated_at is not None and datetime.now(UTC) > reading.rotated_at + GRACE
        for candidate in self._candidates():
            with opened(candidate) as file:
                if file is None or not is_same(file, reading):
                    continue
                if size_of(file) >= reading.read_bytes:
                    return self._read_chunk(file, reading, is_over)
            # A copy made before so much had been read: there is nothing new in it.
            self._finish(reading)
            return Progress(), True
        # One of which nothing is known but its inode may come up yet.
        if reading.head_size or is_over:
            self._finish(reading)
        return Progress(is_lost=reading.may_have_more), True

    def _candidates(self) -> Iterator[Path]:
        """Where a rotated log may be: beside its former place, the newest first."""
        found = []
        for path in self._path.parent.glob(f"{glob.escape(self._path.name)}?*"):
            with suppress(FileNotFoundError):
                found.append((path.stat().st_mtime, path))
        yield from (path for _, path in sorted(found, reverse=True))

    def _read_chunk(self, file: int, reading: Reading, is_over: bool) -> tuple[Progress, bool]:
        """Counts whole lines from where the reading stands, and moves it there."""
        chunk = os.pread(file, CHUNK_BYTES, reading.read_bytes)
        head = (os.pread(file, HEAD_BYTES, 0) if reading.read_bytes else chunk)[:HEAD_BYTES]
        if hash_of(head[: reading.head_size]) != (reading.head_hash or hash_of(b"")):
            # Truncated while we read: what the chunk is of, nobody knows. Look again.
            return Progress(), False
        is_last = len(chunk) < CHUNK_BYTES
        if is_last and is_over and chunk and not chunk.endswith(b"\n"):
            # Nobody will finish this line.
            whole = len(chunk)
        elif is_last or b"\n" in chunk:
            # A line without its end is being written.
            whole = chunk.rfind(b"\n") + 1
        else:
            whole = len(chunk)
        requests: Counter[Request] = Counter()
        lines = skipped = 0
        for line in chunk[:whole].removesuffix(b"\n").split(b"\n") if whole else ():
            request = parse(line)
            if request is None:
                skipped += 1
            else:
                requests[request] += 1
                lines += 1
        self._count(requests)
        end = reading.read_bytes + whole
        head = head[:end]
        self._connection.execute(
            """
            update ops.access_logs
            set
                inode = %s,
                head_size = %s,
                head_hash = %s,
                read_bytes = %s,
                line_count = line_count + %s,
                skipped_count = skipped_count + %s,
                checked_at = now()
            where log_no = %s
            """,
            (
                os.fstat(file).st_ino,
                len(head),
                hash_of(head) if head else "",
                end,
                lines,
                skipped,
                reading.log_no,
            ),
        )
        if is_over and is_last:
            self._finish(reading)
        return Progress(lines, skipped), is_last

    def _count(self, requests: Counter[Request]) -> None:
        if requests:
            columns = zip(*requests, strict=True)
            self._connection.execute(
                """
                select ops.count_requests(
                    %s::timestamptz[], %s::text[], %s::integer[], %s::double precision[],
                    %s::bigint[]
                )
                """,
                (*(list(column) for column in columns), list(requests.values())),
            )

    def _finish(self, reading: Reading) -> None:
        self._connection.execute("delete from ops.access_logs where log_no = %s", (reading.log_no,))


def size_of(file: int) -> int:
    return os.fstat(file).st_size


@contextmanager
def opened(path: Path) -> Iterator[int | None]:
    """A descriptor of the file, None if it is not there."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        yield file
    finally:
        os.close(file)
