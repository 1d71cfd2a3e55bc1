"""Loading a folder of CSV files: read, check, merge; all of it or nothing.

pgfeed.csv_layout reads the rows, pgfeed.staging takes them into the tables; this is what
stands between: each file into its staging table, and every problem with its file and line.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from pgfeed import csv_layout, staging
from pgfeed.csv_layout import Problem, Reading, Table, UnusableFile
from pgfeed.progress import Advance, Stages
from pgfeed.staging import LoadRefused

SHOWN_PROBLEMS = 20

Row = dict[str, Any]


class BadInput(LoadRefused):
    """Problems of the input: the first ones and how many there are."""

    def __init__(self, problems: list[Problem], count: int) -> None:
        self.problems = problems[:SHOWN_PROBLEMS]
        self.count = count
        lines = [f"  {problem}" for problem in self.problems]
        if count > len(self.problems):
            lines.append(f"  … and {count - len(self.problems)} more")
        noun = "problem" if count == 1 else "problems"
        super().__init__("\n".join([f"{count} {noun} in the input:", *lines]))


def load(
    connection: psycopg.Connection,
    folder: Path,
    is_shifted: bool,
    stages: Stages,
    by: timedelta | None = None,
) -> dict[str, int]:
    """Loads a folder in the CSV layout and returns how many rows of what were new or changed.

    is_shifted: all times move, by `by` or else so that the newest interaction is now.
    The connection must be in autocommit mode. Raises LoadRefused, with nothing loaded.
    """
    if not folder.is_dir():
        raise LoadRefused(f"{folder} is not a folder")
    with staging.only_load(connection):
        readings, broken = _stage_files(connection, folder, stages)
        for reading in readings.values():
            if reading.unknown_columns:
                names = ", ".join(reading.unknown_columns)
                stages.note(f"{reading.file}: not loaded, the layout has no such column: {names}")
        _refuse_problems(connection, readings, broken, is_shifted, stages, by)
        return staging.merge(connection, stages)


def _stage_files(
    connection: psycopg.Connection, folder: Path, stages: Stages
) -> tuple[dict[str, Reading], list[Problem]]:
    """What was read, by table, and what is wrong with whole files."""
    readings: dict[str, Reading] = {}
    broken: list[Problem] = []
    for table in csv_layout.TABLES:
        reading = Reading(file=f"{table.name}.csv")
        try:
            path = csv_layout.find_file(folder, table)
            if path is None:
                continue
            readings[table.name] = reading
            with stages.stage(f"reading {path.name}", path.stat().st_size or 1) as advance:
                _stage_file(connection, path, table, reading, advance)
        except UnusableFile as error:
            broken.append(Problem(reading.file, 0, str(error)))
    return readings, broken


def _stage_file(
    connection: psycopg.Connection, path: Path, table: Table, reading: Reading, advance: Advance
) -> None:
    name, columns, values_of = _STAGERS[table.name]
    position = 0

    def count_bytes(read: int) -> None:
        nonlocal position
        advance(read - position)
        position = read

    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy {name} ({', '.join(columns)}) from stdin") as copy,
    ):
        for line, row in csv_layout.read_table(path, table, reading, count_bytes):
            copy.write_row((line, *values_of(row)))


def _refuse_problems(
    connection: psycopg.Connection,
    readings: dict[str, Reading],
    broken: list[Problem],
    is_shifted: bool,
    stages: Stages,
    by: timedelta | None,
) -> None:
    """Raises BadInput if anything is wrong with a file, a row, or between rows.

    Between rows is only looked at when every file could be read to its end: otherwise all
    that points into the rest would be blamed.
    """
    problems = list(broken)
    for reading in readings.values():
        problems.extend(reading.problems)
    count = len(problems)
    if not broken:
        with stages.stage("checking"):
            shift, is_known = staging.set_shift(connection, is_shifted, by)
            found, found_count = staging.problems(connection)
        problems.extend(
            Problem(readings[table].file, line, reason) for table, line, reason in found
        )
        count += found_count
        if is_known and shift:
            stages.note(f"loaded before: times move by {shift}, as then")
        elif shift:
            stages.note(f"times move by {shift}")
    if problems:
        order = {reading.file: place for place, reading in enumerate(readings.values())}
        problems.sort(key=lambda p: (order.get(p.file, -1), p.line))
        raise BadInput(problems, count)


def _user_values(row: Row) -> Iterator[Any]:
    place = _place(row)
    yield from (row["user_uid"], *place, row["created_at"], row["preferred_tags"])
    yield from (row["blocked_tags"], row["max_distance"], row["personalization_enabled"])


def _poster_values(row: Row) -> Iterator[Any]:
    yield from (row["poster_id"], row["average_rating"], row["rating_count"])
    yield from (row["accepted_count"], row["completed_count"])


def _listing_values(row: Row) -> Iterator[Any]:
    yield from (row["listing_id"], row["poster_id"], row["poster_rating"], row["external_id"])
    yield from (row["title"], csv_layout.title_from_tags(row["tags"] or []))
    yield from (row["description"], row["url"], row["image_url"], row["attributes"], row["tags"])
    yield from (*_place(row), row["compensation"], row["currency"], row["status"])
    yield from (row["created_at"], row["expires_at"] or row["starts_at"])


def _interaction_values(row: Row) -> Iterator[Any]:
    at: datetime = row["ts"]
    yield from (row["user_uid"], row["listing_id"])
    yield csv_layout.INTERACTION_TYPES.index(row["type"]) + 1
    yield -1 if row["seconds"] is None else row["seconds"]
    yield at
    yield csv_layout.event_id(row["user_uid"], row["listing_id"], row["type"], at)


def _user_tag_values(row: Row) -> Iterator[Any]:
    yield from (row["user_uid"], row["tags"])


def _place(row: Row) -> tuple[float | None, float | None]:
    """Latitude and longitude, both or none."""
    has_place = row["lat"] is not None and row["lon"] is not None
    return (row["lat"], row["lon"]) if has_place else (None, None)


_STAGERS: dict[str, tuple[str, tuple[str, ...], Callable[[Row], Iterator[Any]]]] = {
    "users": (
        "staged_users",
        (
            "line",
            "user_uid",
            "lat",
            "lon",
            "created_at",
            "preferred_tags",
            "blocked_tags",
            "max_distance",
            "personalization_enabled",
        ),
        _user_values,
    ),
    "posters": (
        "staged_posters",
        (
            "line",
            "poster_uid",
            "average_rating",
            "rating_count",
            "accepted_count",
            "completed_count",
        ),
        _poster_values,
    ),
    "listings": (
        "staged_listings",
        (
            "line",
            "listing_id",
            "poster_uid",
            "poster_rating",
            "external_id",
            "title",
            "title_if_none",
            "description",
            "url",
            "image_url",
            "attributes",
            "tags",
            "lat",
            "lon",
            "compensation",
            "currency",
            "status",
            "created_at",
            "expires_at",
        ),
        _listing_values,
    ),
    "interactions": (
        "staged_interactions",
        ("line", "user_uid", "listing_id", "type_number", "seconds", "created_at", "event_id"),
        _interaction_values,
    ),
    "user_tags": ("staged_user_tags", ("line", "user_uid", "tags"), _user_tag_values),
}
"""Staging table, its columns, and what fills those after the line; by table of the layout."""
