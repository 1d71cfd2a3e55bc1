"""What training needs of a database, whether it runs in the server or outside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol


class Database(Protocol):
    """A session. Every statement opens a transaction if none is open.

    Parameters are $1, $2, … with a cast in the SQL: an int, a float, a str, bytes, or a
    list of ints or strs.
    """

    def rows(self, sql: str, *parameters: Any) -> list[Mapping[str, Any]]:
        """The rows of a query; bytea as bytes, jsonb as text."""

    def run(self, sql: str, *parameters: Any) -> int:
        """The number of rows that a statement changed."""

    def copy(self, relation: str, file: bytes) -> None:
        """Loads a binary COPY file into one of pgfeed.publishing.COLUMNS."""

    def begin_snapshot(self) -> None:
        """Ends the transaction; the next one sees one moment only (repeatable read)."""

    def commit(self) -> None:
        """Ends the transaction."""

    def lock_publishing(self, wait: timedelta) -> bool:
        """Takes ml.publish_lock_key() exclusively to the end of the transaction.

        False, and no transaction any more, if it was not to be had in time.
        """

    def tick(self) -> None:
        """A point at which a cancel request stops the work."""


def row(database: Database, sql: str, *parameters: Any) -> Mapping[str, Any]:
    """The only row of a query."""
    (only,) = database.rows(sql, *parameters)
    return only
