"""The CSV layout of users, listings and interactions: reading it, row by row, with reasons.

No database here. A file becomes rows of typed values, each with its line number, and a list
of problems; a row with a problem keeps its id, so that the checks between files do not blame
the rows that point to it. docs/dba/csv-layout.md is the description for people.
"""

import csv
import gzip
import hashlib
import json
import math
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID

EVENT_NAMESPACE = UUID("8ee7a9b4-6a0c-5f0e-9d0a-3c1f4b6f2a17")
"""Namespace of the event ids that are made of what an event says."""

INTERACTION_TYPES = ("view", "click", "apply", "save", "share", "dismiss")
"""In the order of feed.interaction_type."""

EARLIEST_TIME = datetime(1990, 1, 1, tzinfo=UTC)
LATEST_TIME = datetime(2200, 1, 1, tzinfo=UTC)
MOST_SECONDS = 86_400
POSTER_RATING_COUNT = 20
"""How many ratings a listing's poster_rating stands for."""

LONGEST_TAG = 200

UNTITLED = "Untitled listing"


class Problem(NamedTuple):
    """What is wrong with a line; line 0 is the file as a whole."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line}: {self.reason}"
            if self.line
            else (f"{self.file}: {self.reason}")
        )


class UnusableFile(Exception):
    """A file that cannot be read as a whole; says why, without the file's name."""


Parser = Callable[[str], Any]


class Column(NamedTuple):
    """A column of the layout: how its text becomes a value, and whether it must be there."""

    parse: Parser
    is_required: bool = False
    """The header must name it."""
    may_be_empty: bool = True
    default: Any = None
    """The value of an empty field or a column that is not there."""


@dataclass
class Table:
    """One file of the layout: columns by name, and checks of a whole row."""

    name: str
    key: str
    columns: dict[str, Column]
    check_row: Callable[[dict[str, Any]], Iterator[str]] = lambda row: iter(())
    is_optional: bool = False


@dataclass
class Reading:
    """What was found on the way through a file."""

    file: str = ""
    rows: int = 0
    unknown_columns: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


# --- values -----------------------------------------------------------------------------------

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].+)?")
_WEB_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_CURRENCY = re.compile(r"[A-Z]{3}")


def parse_uuid(text: str) -> str:
    """The uuid in its canonical spelling."""
    lowered = text.lower()
    if not _UUID.fullmatch(lowered):
        raise ValueError("is not a uuid")
    return lowered


def parse_number(text: str) -> float:
    """A finite decimal number."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("is not a number")
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("is too large")
    return number


def between(low: float, high: float) -> Parser:
    """A number from low to high, both included."""

    def parse(text: str) -> float:
        number = parse_number(text)
        if not low <= number <= high:
            raise ValueError(f"is not between {low:g} and {high:g}")
        return number

    return parse


def parse_compensation(text: str) -> str:
    """Pay: not negative, kept as its decimal text, two places at most count."""
    number = parse_number(text)
    if number < 0:
        raise ValueError("is negative")
    if number >= 999_999_999_999.99:
        raise ValueError("is too large")
    return text


def parse_distance(text: str) -> float:
    """A distance in km, more than 0."""
    number = parse_number(text)
    if number <= 0:
        raise ValueError("is not more than 0")
    return number


def parse_count(text: str) -> int:
    """A whole number, not negative."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError("is not a whole number from 0 to 999999999")
    return int(text)


def parse_time(text: str) -> datetime:
    """An ISO 8601 time; without an offset it is UTC."""
    if not _TIME.fullmatch(text):
        raise ValueError("is not an ISO 8601 time such as 2016-05-06T19:31:38Z")
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is not an ISO 8601 time such as 2016-05-06T19:31:38Z") from None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    # Compared first: astimezone fails at the calendar's ends.
    if not EARLIEST_TIME <= at <= LATEST_TIME:
        raise ValueError(f"is not between {EARLIEST_TIME:%Y} and {LATEST_TIME:%Y}")
    return at.astimezone(UTC)


def parse_tags(text: str) -> list[str]:
    """Tags joined by |, trimmed, in lower case, distinct, in the order of the text."""
    tags = [tag.strip().lower() for tag in text.split("|")]
    if any(len(tag) > LONGEST_TAG or "\n" in tag for tag in tags):
        raise ValueError(f"has a tag of more than {LONGEST_TAG} characters, or than one line")
    return [tag for tag in dict.fromkeys(tags) if tag]


def parse_boolean(text: str) -> bool:
    """true or false, in the usual spellings."""
    lowered = text.lower()
    if lowered in {"true", "t", "yes", "1"}:
        return True
    if lowered in {"false", "f", "no", "0"}:
        return False
    raise ValueError("is not true or false")


def parse_type(text: str) -> str:
    """An interaction type."""
    if text not in INTERACTION_TYPES:
        raise ValueError(f"is not one of {', '.join(INTERACTION_TYPES)}")
    return text


def parse_status(text: str) -> str:
    """A listing's status."""
    if text not in {"open", "closed"}:
        raise ValueError("is not open or closed")
    return text


def parse_currency(text: str) -> str:
    """An ISO 4217 code."""
    if not _CURRENCY.fullmatch(text):
        raise ValueError("is not a currency code such as EUR")
    return text


def parse_web_address(text: str) -> str:
    """An http or https address."""
    if not _WEB_ADDRESS.fullmatch(text) or len(text) > 2000:
        raise ValueError("is not an http(s) address of at most 2000 characters")
    return text


def parse_attributes(text: str) -> str:
    """A JSON object, as text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    if "\\u0000" in text:
        raise ValueError("holds the character NUL")
    if len(text) > 4_000:
        # As PostgreSQL counts: with a space after each colon and comma.
        size = len(json.dumps(value, ensure_ascii=False).encode())
        if size > 16_384:
            raise ValueError(f"has {size} bytes; at most 16384 are allowed")
    return text


def text_of(longest: int) -> Parser:
    """Text of at most `longest` characters."""

    def parse(text: str) -> str:
        if len(text) > longest:
            raise ValueError(f"has {len(text)} characters; at most {longest} are allowed")
        return text

    return parse


# --- tables -----------------------------------------------------------------------------------


def _check_place(row: dict[str, Any]) -> Iterator[str]:
    if (row["lat"] is None) != (row["lon"] is None):
        present, absent = ("lat", "lon") if row["lon"] is None else ("lon", "lat")
        yield f"{present} without {absent}"


def _check_user(row: dict[str, Any]) -> Iterator[str]:
    yield from _check_place(row)
    both = set(row["preferred_tags"] or ()) & set(row["blocked_tags"] or ())
    if both:
        yield f"tag {min(both)!r} is both preferred and blocked"


def _check_poster(row: dict[str, Any]) -> Iterator[str]:
    if (row["completed_count"] or 0) > (row["accepted_count"] or 0):
        yield "completed_count is more than accepted_count"


USERS = Table(
    "users",
    "user_uid",
    {
        "user_uid": Column(parse_uuid, is_required=True, may_be_empty=False),
        "lat": Column(between(-90, 90), is_required=True),
        "lon": Column(between(-180, 180), is_required=True),
        "created_at": Column(parse_time),
        "preferred_tags": Column(parse_tags),
        "blocked_tags": Column(parse_tags),
        "max_distance": Column(parse_distance),
        "personalization_enabled": Column(parse_boolean),
    },
    _check_user,
)

LISTINGS = Table(
    "listings",
    "listing_id",
    {
        "listing_id": Column(parse_uuid, is_required=True, may_be_empty=False),
        "title": Column(text_of(300), is_required=True),
        "tags": Column(parse_tags, is_required=True),
        "lat": Column(between(-90, 90), is_required=True),
        "lon": Column(between(-180, 180), is_required=True),
        "created_at": Column(parse_time, is_required=True),
        "poster_id": Column(parse_uuid),
        "poster_rating": Column(between(1, 5)),
        "compensation": Column(parse_compensation),
        "currency": Column(parse_currency),
        "starts_at": Column(parse_time),
        "expires_at": Column(parse_time),
        "status": Column(parse_status),
        "external_id": Column(text_of(200)),
        "description": Column(text_of(20_000)),
        "url": Column(parse_web_address),
        "image_url": Column(parse_web_address),
        "attributes": Column(parse_attributes),
    },
    _check_place,
)

INTERACTIONS = Table(
    "interactions",
    "event_id",
    {
        "user_uid": Column(parse_uuid, is_required=True, may_be_empty=False),
        "listing_id": Column(parse_uuid, is_required=True, may_be_empty=False),
        "type": Column(parse_type, is_required=True, may_be_empty=False),
        "ts": Column(parse_time, is_required=True, may_be_empty=False),
        "seconds": Column(between(0, MOST_SECONDS)),
    },
)

POSTERS = Table(
    "posters",
    "poster_id",
    {
        "poster_id": Column(parse_uuid, is_required=True, may_be_empty=False),
        "average_rating": Column(between(1, 5)),
        "rating_count": Column(parse_count),
        "accepted_count": Column(parse_count),
        "completed_count": Column(parse_count),
    },
    _check_poster,
    is_optional=True,
)

USER_TAGS = Table(
    "user_tags",
    "user_uid",
    {
        "user_uid": Column(parse_uuid, is_required=True, may_be_empty=False),
        "tags": Column(parse_tags, is_required=True, default=[]),
    },
    is_optional=True,
)

TABLES = (USERS, POSTERS, LISTINGS, INTERACTIONS, USER_TAGS)
"""In the order in which they are read."""


def event_id(user_uid: str, listing_id: str, interaction_type: str, at: datetime) -> str:
    """uuid5 of user, listing, type and time as the file has them, before any shift."""
    name = f"{user_uid}/{listing_id}/{interaction_type}/{at:%Y-%m-%dT%H:%M:%S.%f}Z"
    digest = hashlib.sha1(EVENT_NAMESPACE.bytes + name.encode(), usedforsecurity=False).digest()
    return str(UUID(bytes=digest[:16], version=5))


def title_from_tags(tags: list[str]) -> str:
    """A title for a listing that has none: its first tag as words ("Dive bar")."""
    words = tags[0].replace("-", " ").replace("_", " ").strip() if tags else ""
    return words.capitalize()[:300] or UNTITLED


# --- files ------------------------------------------------------------------------------------


def find_file(folder: Path, table: Table) -> Path | None:
    """The table's file in the folder, plain or gzipped; None for an optional one that is not.

    Raises UnusableFile if a file that must be there is not, or if both are.
    """
    plain, packed = folder / f"{table.name}.csv", folder / f"{table.name}.csv.gz"
    found = [path for path in (plain, packed) if path.is_file()]
    if len(found) == 2:
        raise UnusableFile(f"{plain.name} and {packed.name} are both there: which one counts?")
    if not found and not table.is_optional:
        raise UnusableFile(f"there is no {plain.name} and no {packed.name}")
    return found[0] if found else None


def read_lines(path: Path, count_bytes: Callable[[int], None] = lambda _: None) -> Iterator[str]:
    """Lines of a file, plain or gzipped, as UTF-8; a byte order mark is dropped.

    Raises UnusableFile with the line for what is not gzip or not UTF-8.
    """
    number = 0
    try:
        with path.open("rb") as raw, _unpacked(raw, path) as lines:
            for number, line in enumerate(lines, 1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
                if number % 4096 == 0:
                    count_bytes(raw.tell())
            count_bytes(raw.tell())
    except UnicodeDecodeError as error:
        raise UnusableFile(
            f"line {number} is not UTF-8 text (byte 0x{error.object[error.start]:02x})"
        ) from None
    except (gzip.BadGzipFile, zlib.error):
        raise UnusableFile("is not gzip, though its name ends in .gz") from None
    except EOFError:
        raise UnusableFile("is cut off: its gzip data ends too early") from None
    except OSError as error:
        raise UnusableFile(f"cannot be read: {error.strerror or error}") from None


def _unpacked(raw: BinaryIO, path: Path) -> AbstractContextManager[BinaryIO]:
    return gzip.open(raw) if path.suffix == ".gz" else nullcontext(raw)


def read_table(
    path: Path,
    table: Table,
    reading: Reading,
    count_bytes: Callable[[int], None] = lambda _: None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, row) of every row that has an id, problems going to `reading`.

    A value that cannot be read is None in its row and a problem in `reading.problems`.
    Raises UnusableFile for a file that cannot be read at all.
    """
    reading.file = path.name
    records = csv.reader(read_lines(path, count_bytes), strict=True)
    try:
        header = next(records, None)
        positions = _positions(header, table, reading)
        for fields in records:
            if not fields:
                continue
            reading.rows += 1
            line = records.line_num
            if len(fields) != len(header):
                reason = f"has {len(fields)} fields; the header has {len(header)}"
                reading.problems.append(Problem(path.name, line, reason))
                continue
            row = _parse_row(fields, table, positions, line, reading)
            if row is not None:
                yield line, row
    except csv.Error as error:
        raise UnusableFile(f"line {records.line_num} is not CSV: {error}") from None


def _positions(header: list[str] | None, table: Table, reading: Reading) -> dict[str, int]:
    """Where the layout's columns stand; names the others in reading.unknown_columns."""
    if header is None:
        raise UnusableFile("is empty: it needs a header line at least")
    names = [name.strip().lower() for name in header]
    positions: dict[str, int] = {}
    for position, name in enumerate(names):
        if name in positions:
            raise UnusableFile(f"has the column {name} twice")
        if name in table.columns:
            positions[name] = position
        elif name:
            reading.unknown_columns.append(name)
    missing = [
        name
        for name, column in table.columns.items()
        if column.is_required and name not in positions
    ]
    if missing:
        raise UnusableFile(
            f"has no column {' and no column '.join(missing)} (it has: {', '.join(names)})"
        )
    return positions


def _parse_row(
    fields: list[str], table: Table, positions: dict[str, int], line: int, reading: Reading
) -> dict[str, Any] | None:
    """The row's values by column; None if its id or what it points to cannot be read."""
    row: dict[str, Any] = {name: column.default for name, column in table.columns.items()}
    is_usable = True
    problem_count = len(reading.problems)
    for name, position in positions.items():
        column = table.columns[name]
        text = fields[position].strip()
        if not text:
            if not column.may_be_empty:
                reading.problems.append(Problem(reading.file, line, f"{name} is empty"))
                is_usable = False
            continue
        try:
            if "\x00" in text:
                raise ValueError("holds the character NUL")
            row[name] = column.parse(text)
        except ValueError as error:
            shown = text if len(text) <= 60 else f"{text[:57]}..."
            reading.problems.append(Problem(reading.file, line, f"{name} {shown!r} {error}"))
            is_usable = is_usable and column.may_be_empty
    if len(reading.problems) == problem_count:
        reading.problems.extend(
            Problem(reading.file, line, reason) for reason in table.check_row(row)
        )
    return row if is_usable else None
