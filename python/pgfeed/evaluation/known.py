"""What existed and was known at a cut-off, as a folder that the product loads.

What carries no date is left out: user_tags, ratings of posters as a crawl found them, a
listing's status, and a user's place or wishes without a time from which they were known.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from pgfeed import csv_layout
from pgfeed.evaluation.cutoffs import Cutoff
from pgfeed.evaluation.data import Data, Row, instant

USER_COLUMNS = (
    "user_uid",
    "lat",
    "lon",
    "created_at",
    "preferred_tags",
    "blocked_tags",
    "max_distance",
    "personalization_enabled",
)
LISTING_COLUMNS = (
    "listing_id",
    "poster_id",
    "title",
    "tags",
    "lat",
    "lon",
    "compensation",
    "created_at",
    "starts_at",
    "expires_at",
)
POSTER_COLUMNS = (
    "poster_id",
    "average_rating",
    "rating_count",
    "accepted_count",
    "completed_count",
)


def listings_at(data: Data, at: int) -> np.ndarray:
    """(n,) positions of the listings that existed."""
    return np.flatnonzero(data.created_at <= at)


def interactions_at(data: Data, at: int) -> int:
    """How many of the interactions, the oldest, had happened; with listings that existed."""
    return int(np.searchsorted(data.at, at, side="right"))


def user_at(data: Data, user: int, at: int) -> Row:
    """A user's row with what was known; the rest is None."""
    row = data.users[user]
    moment = instant(at)
    known: Row = dict.fromkeys(USER_COLUMNS) | {"user_uid": row["user_uid"]}
    is_member = _is_past(row.get("created_at"), moment)
    place_known = (
        _is_past(row.get("geo_known_from"), moment) if data.has_dated_places else is_member
    )
    if place_known:
        known |= {"lat": row["lat"], "lon": row["lon"]}
    wishes_known = (
        _is_past(row.get("wishes_known_from"), moment) if data.has_dated_wishes else is_member
    )
    if is_member:
        known |= {name: row[name] for name in ("created_at", "personalization_enabled")}
    if wishes_known:
        known |= {name: row[name] for name in ("preferred_tags", "blocked_tags", "max_distance")}
    return known


def users_at(data: Data, cutoff: Cutoff) -> np.ndarray:
    """(n,) positions: who had done anything, had joined, or is asked now for the first time."""
    moment = instant(cutoff.at)
    joined = [
        user for user, row in enumerate(data.users) if _is_past(row.get("created_at"), moment)
    ]
    acted = data.user[: interactions_at(data, cutoff.at)]
    return np.unique(np.concatenate([acted, cutoff.users, np.array(joined, dtype=np.int32)]))


def write(data: Data, cutoff: Cutoff, folder: Path) -> None:
    """The CSV files as of a cut-off, with the times that they had."""
    users = (user_at(data, int(user), cutoff.at) for user in users_at(data, cutoff))
    _write(folder / "users.csv", USER_COLUMNS, users)
    listings = listings_at(data, cutoff.at)
    _write(
        folder / "listings.csv",
        LISTING_COLUMNS,
        # A title says nothing to the ranking.
        (data.listings[listing] | {"title": None} for listing in listings.tolist()),
    )
    if data.posters:
        posting = {data.listings[listing]["poster_id"] for listing in listings.tolist()}
        _write(
            folder / "posters.csv",
            POSTER_COLUMNS,
            (row for row in data.posters if row["poster_id"] in posting),
        )
    _write(
        folder / "interactions.csv",
        ("user_uid", "listing_id", "type", "ts", "seconds"),
        _interactions(data, cutoff.at),
    )


def _interactions(data: Data, at: int) -> Iterator[Row]:
    count = interactions_at(data, at)
    times = np.datetime_as_string(data.at[:count].view("M8[us]")).tolist()
    exists = data.created_at <= at
    for user, listing, kind, ts, seconds in zip(
        data.user[:count].tolist(),
        data.listing[:count].tolist(),
        data.type[:count].tolist(),
        times,
        data.seconds[:count].tolist(),
        strict=True,
    ):
        if exists[listing]:
            yield {
                "user_uid": data.users[user]["user_uid"],
                "listing_id": data.listings[listing]["listing_id"],
                "type": csv_layout.INTERACTION_TYPES[kind],
                "ts": f"{ts}Z",
                "seconds": None if seconds != seconds else seconds,
            }


def _is_past(at: datetime | None, moment: datetime) -> bool:
    return at is not None and at <= moment


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([_text(row.get(column)) for column in columns])


def _text(value: Any) -> Any:
    match value:
        case None:
            return ""
        case list():
            return "|".join(value)
        case datetime():
            return value.isoformat()
        case bool():
            return "true" if value else "false"
        case _:
            return value
