"""A database's users, listings and log, as the folder that is replayed, and how it ranks.

All in one snapshot. What a folder of the evaluation cannot date is left out as there: closed
listings, posters' ratings.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from pgfeed.progress import Stages

TABLES = ("users", "listings", "interactions")

# Tables whose rows are the operator's choices, with their key.
CHOICES = {
    "feed.ranking_profiles": "profile_name",
    "feed.interaction_weights": "type",
    "ml.training_parameters": "is_only_row",
}

Choices = Mapping[str, list[dict[str, Any]]]
"""Rows by table, as JSON objects."""


def export(connection: psycopg.Connection, folder: Path, stages: Stages) -> Choices:
    """Writes the CSV files and returns the operator's choices, with `default` alone of profiles.

    The connection is in autocommit mode; it must be the owner's or a superuser's.
    """
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        for table in TABLES:
            query = files("pgfeed.fit").joinpath(f"{table}.sql").read_text(encoding="utf-8")
            with (
                stages.stage(f"exporting {table}"),
                connection.cursor() as cursor,
                (folder / f"{table}.csv").open("wb") as file,
                cursor.copy(f"copy ({query}) to stdout (format csv, header)") as copy,
            ):
                for part in copy:
                    file.write(part)
        return {table: _rows(connection, table) for table in CHOICES}


def _rows(connection: psycopg.Connection, table: str) -> list[dict[str, Any]]:
    query = sql.SQL("select to_jsonb(t) from {} as t").format(_name(table))
    rows = [row for (row,) in connection.execute(query)]
    return [row for row in rows if row.get("profile_name", "default") == "default"]


def choose(connection: psycopg.Connection, choices: Choices) -> None:
    """Makes these choices in another database of the same schema."""
    for table, rows in choices.items():
        for row in rows:
            # What a database of another release has more stays as it is.
            columns = [
                name
                for (name,) in connection.execute(
                    """
                    select a.attname from pg_catalog.pg_attribute as a
                    where a.attrelid = %s::regclass and a.attname = any(%s)
                        and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
                    """,
                    (table, list(row)),
                )
            ]
            key = CHOICES[table]
            connection.execute(
                sql.SQL(
                    "insert into {table} ({columns}) select {values}"
                    " from jsonb_populate_record(null::{table}, %s) as r"
                    " on conflict ({key}) do update set {changes}"
                ).format(
                    table=_name(table),
                    columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                    values=sql.SQL(", ").join(sql.Identifier("r", name) for name in columns),
                    key=sql.Identifier(key),
                    changes=sql.SQL(", ").join(
                        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name))
                        for name in columns
                    ),
                ),
                (Jsonb(row),),
            )


def _name(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))
