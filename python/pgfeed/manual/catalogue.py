"""What the catalogue of a deployed database says of functions and relations."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import psycopg
from psycopg.rows import dict_row

# Who may call something, the least trusted first.
ROLES = ("anon", "authenticated", "service_role", "feed_analyst")


@dataclass(frozen=True)
class Argument:
    """An argument of a function; default is the SQL expression, None where there is none."""

    name: str
    type: str
    default: str | None


@dataclass(frozen=True)
class Column:
    """A column of a relation, or of the rows that a function returns."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class Function:
    """A function, and the roles that may call it."""

    name: str
    description: str
    is_writing: bool
    callers: tuple[str, ...]
    arguments: tuple[Argument, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Relation:
    """A table or view; rights are SQL privileges by role."""

    schema: str
    name: str
    is_view: bool
    description: str
    rights: dict[str, list[str]]
    columns: tuple[Column, ...]


def _rows(connection: psycopg.Connection, query: str, **values: Any) -> list[dict[str, Any]]:
    text = files("pgfeed.manual").joinpath(f"{query}.sql").read_text()
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(text, values | {"roles": list(ROLES)}).fetchall()


def functions(connection: psycopg.Connection, schema: str) -> list[Function]:
    """The functions of a schema by name, trigger functions left out."""
    return [
        Function(
            name=row["name"],
            description=row["description"],
            is_writing=row["is_writing"],
            callers=tuple(row["callers"]),
            arguments=tuple(Argument(**argument) for argument in row["arguments"]),
            columns=tuple(Column(**column) for column in row["columns"]),
        )
        for row in _rows(connection, "functions", schema=schema)
    ]


def relations(
    connection: psycopg.Connection, schema: str, names: tuple[str, ...] | None = None
) -> list[Relation]:
    """The relations of a schema by name, or those named, in that order."""
    wanted = None if names is None else list(names)
    return [
        Relation(**row | {"columns": tuple(Column(**column) for column in row["columns"])})
        for row in _rows(connection, "relations", schema=schema, names=wanted)
    ]
