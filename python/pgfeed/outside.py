"""Training from outside the server, through psycopg: for servers without Python."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from pgfeed.publishing import COLUMNS


class OutsideDatabase:
    """A psycopg connection: pgfeed.database.Database."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    @classmethod
    def connect(cls, dsn: str) -> OutsideDatabase:
        return cls(psycopg.connect(dsn, application_name="pgfeed train"))

    def rows(self, sql: str, *parameters: Any) -> list[Mapping[str, Any]]:
        with self._cursor() as cursor:
            return cursor.execute(sql, parameters or None, binary=True).fetchall()

    def run(self, sql: str, *parameters: Any) -> int:
        with self._cursor() as cursor:
            return cursor.execute(sql, parameters or None).rowcount

    def copy(self, relation: str, file: bytes) -> None:
        statement = f"copy ml.{relation} ({COLUMNS[relation]}) from stdin (format binary)"
        with self._cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(file)

    def begin_snapshot(self) -> None:
        self.connection.commit()
        self.run("set transaction isolation level repeatable read")

    def commit(self) -> None:
        self.connection.commit()

    def lock_publishing(self, wait: timedelta) -> bool:
        milliseconds = f"{int(wait.total_seconds() * 1000)}ms"
        self.run("select set_config('lock_timeout', $1::text, true)", milliseconds)
        try:
            self.run("select pg_advisory_xact_lock(ml.publish_lock_key())")
        except psycopg.errors.LockNotAvailable:
            self.connection.rollback()
            return False
        self.run("select set_config('lock_timeout', '0', true)")
        return True

    def tick(self) -> None:
        """Nothing to do: Python itself notices an interrupt here."""

    def _cursor(self) -> psycopg.RawCursor:
        return psycopg.RawCursor(self.connection, row_factory=dict_row)
