"""A data set as it is judged: the rows of the CSV layout, and interactions as arrays.

Three columns beside the layout say what was known when: `geo_known_from` and `wishes_known_from`
in users.csv (from when on the user's place, tags and distance count) and `n_prior` in
interactions.csv (how often the user had done the same before). A set without them does without.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from pgfeed import csv_layout, synth, synth_staging
from pgfeed.csv_layout import Column, Problem, Reading, Table, UnusableFile
from pgfeed.load import BadInput
from pgfeed.progress import Stages
from pgfeed.staging import LoadRefused
from pgfeed.synth_vocabulary import TAGS

APPLY = csv_layout.INTERACTION_TYPES.index("apply")
DISMISS = csv_layout.INTERACTION_TYPES.index("dismiss")

SYNTHETIC = "synth"
# Between tiny and small: a user meets thousands of listings, and a run takes minutes.
SYNTHETIC_SCALE = synth.Scale(20, 1_500, 6_000, 120_000, 24)
SYNTHETIC_SEED = 1

Row = dict[str, Any]


@dataclass(frozen=True)
class Data:
    """Everything of a set, whenever it happened. Times are microseconds since 1970.

    listings: by created_at descending, then listing_id: the order in which a feed breaks ties
    user, listing: (n,) int32 positions in users and listings, of interactions in time order
    type: (n,) int8 positions in csv_layout.INTERACTION_TYPES
    at: (n,) int64
    seconds: (n,) float64, NaN where there is none
    is_first: (n,) bool, false where n_prior says that it is a repetition
    has_dated_places: there is a column geo_known_from
    has_dated_wishes: there is a column wishes_known_from
    posters: rows of posters.csv that were true from the beginning on; only a made-up world
        can know that
    digest: of what the set was made from
    """

    name: str
    users: list[Row]
    listings: list[Row]
    posters: list[Row]
    user: np.ndarray
    listing: np.ndarray
    type: np.ndarray
    at: np.ndarray
    seconds: np.ndarray
    is_first: np.ndarray
    has_dated_places: bool
    has_dated_wishes: bool
    digest: str

    @property
    def created_at(self) -> np.ndarray:
        """(n_listings,) int64, descending."""
        return np.array([micros(row["created_at"]) for row in self.listings], dtype=np.int64)


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def instant(at: int) -> datetime:
    """The other way round."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(at))


def read(folder: Path, stages: Stages) -> Data:
    """The set in a folder. Raises LoadRefused with every reason, as a load would."""
    if not folder.is_dir():
        raise LoadRefused(f"{folder} is not a folder")
    digest = hashlib.sha256()
    rows: dict[str, list[tuple[int, Row]]] = {}
    readings: dict[str, Reading] = {}
    problems: list[Problem] = []
    for table in (_USERS, csv_layout.LISTINGS, _INTERACTIONS):
        readings[table.name] = reading = Reading(file=f"{table.name}.csv")
        try:
            path = csv_layout.find_file(folder, table)
            assert path is not None
            digest.update(path.read_bytes())
            with stages.stage(f"reading {path.name}", path.stat().st_size or 1) as advance:
                last = 0

                def count_bytes(position: int, advance: Any = advance) -> None:
                    nonlocal last
                    advance(position - last)
                    last = position

                rows[table.name] = list(csv_layout.read_table(path, table, reading, count_bytes))
        except UnusableFile as error:
            problems.append(Problem(reading.file, 0, str(error)))
        problems.extend(reading.problems)
    if problems:
        raise BadInput(problems, len(problems))
    dated = set(_header(folder, csv_layout.USERS))
    return _arranged(
        folder.resolve().name,
        [row for _, row in rows["users"]],
        [row for _, row in rows["listings"]],
        rows["interactions"],
        readings["interactions"].file,
        dated,
        digest.hexdigest(),
    )


def synthetic(stages: Stages) -> Data:
    """A made-up world, in which every user's wishes and every poster's record are dated."""
    with stages.stage("making a world"):
        synth.SCALES[SYNTHETIC] = SYNTHETIC_SCALE
        world = synth.make_world(SYNTHETIC, SYNTHETIC_SEED)
        users = list(_synthetic_users(world.users))
        poster_ids = [users[row]["user_uid"] for row in world.posters.user.tolist()]
        listings = list(_synthetic_listings(world.listings, poster_ids))
        posters = list(_synthetic_posters(world.posters, poster_ids))
        events = world.events
    order = _tie_order(listings)
    position = np.empty(len(order), dtype=np.int32)
    position[order] = np.arange(len(order), dtype=np.int32)
    return Data(
        SYNTHETIC,
        users,
        [listings[row] for row in order],
        posters,
        events.user.astype(np.int32),
        position[events.listing],
        events.type.astype(np.int8),
        events.created_at,
        np.where(events.seconds < 0, np.nan, events.seconds),
        np.ones(len(events), dtype=bool),
        False,
        False,
        f"{SYNTHETIC_SCALE} {SYNTHETIC_SEED}",
    )


_USERS = replace(
    csv_layout.USERS,
    columns=csv_layout.USERS.columns
    | dict.fromkeys(("geo_known_from", "wishes_known_from"), Column(csv_layout.parse_time)),
)
_INTERACTIONS = replace(
    csv_layout.INTERACTIONS,
    columns=csv_layout.INTERACTIONS.columns
    | {"n_prior": Column(csv_layout.parse_count, default=0)},
)


def _header(folder: Path, table: Table) -> list[str]:
    path = csv_layout.find_file(folder, table)
    assert path is not None
    return next(csv_layout.read_lines(path)).lower().replace('"', "").strip().split(",")


def _arranged(
    name: str,
    users: list[Row],
    listings: list[Row],
    interactions: list[tuple[int, Row]],
    interactions_file: str,
    dated: set[str],
    digest: str,
) -> Data:
    """Rows in order, with positions in place of ids."""
    listings = _with_created_at(listings, [row for _, row in interactions])
    listings = [listings[row] for row in _tie_order(listings)]
    people = {row["user_uid"]: row for row in users}
    for row in listings:
        if row["poster_id"] is not None:
            people.setdefault(row["poster_id"], {"user_uid": row["poster_id"]})
    user_of = {uid: position for position, uid in enumerate(people)}
    listing_of = {row["listing_id"]: position for position, row in enumerate(listings)}
    problems = [
        Problem(interactions_file, line, f"{column} {row[column]} is in no file")
        for line, row in interactions
        for column, known in (("user_uid", user_of), ("listing_id", listing_of))
        if row[column] not in known
    ]
    if problems:
        raise BadInput(problems, len(problems))
    acts = sorted((row for _, row in interactions), key=lambda row: row["ts"])
    return Data(
        name,
        list(people.values()),
        listings,
        [],
        np.array([user_of[row["user_uid"]] for row in acts], dtype=np.int32),
        np.array([listing_of[row["listing_id"]] for row in acts], dtype=np.int32),
        np.array([csv_layout.INTERACTION_TYPES.index(row["type"]) for row in acts], dtype=np.int8),
        np.array([micros(row["ts"]) for row in acts], dtype=np.int64),
        np.array([np.nan if row["seconds"] is None else row["seconds"] for row in acts]),
        np.array([row["n_prior"] == 0 for row in acts], dtype=bool),
        "geo_known_from" in dated,
        "wishes_known_from" in dated,
        digest,
    )


def _with_created_at(listings: list[Row], interactions: list[Row]) -> list[Row]:
    """As a load: who has no created_at is as old as its first interaction; others never were."""
    first: dict[str, datetime] = {}
    for row in interactions:
        key = row["listing_id"]
        first[key] = min(first.get(key, row["ts"]), row["ts"])
    never = csv_layout.LATEST_TIME
    return [
        row | {"created_at": row["created_at"] or first.get(row["listing_id"], never)}
        for row in listings
    ]


def _tie_order(listings: list[Row]) -> list[int]:
    """Positions by created_at descending, then listing_id."""
    return sorted(
        range(len(listings)),
        key=lambda row: (-micros(listings[row]["created_at"]), listings[row]["listing_id"]),
    )


def _synthetic_users(users: synth.Users) -> Iterator[Row]:
    for uid, lat, lon, at, preferred, blocked, far, is_personal in zip(
        synth_staging.uuid_texts(users.uid),
        np.where(users.has_location, users.home_lat, np.nan).tolist(),
        np.where(users.has_location, users.home_lon, np.nan).tolist(),
        users.created_at.tolist(),
        users.preferred_tags.tolist(),
        users.blocked_tags.tolist(),
        users.max_distance.tolist(),
        users.personalization_enabled.tolist(),
        strict=True,
    ):
        yield {
            "user_uid": uid,
            "lat": _known(lat),
            "lon": _known(lon),
            "created_at": instant(at),
            "preferred_tags": [TAGS[tag] for tag in preferred if tag >= 0],
            "blocked_tags": [TAGS[tag] for tag in blocked if tag >= 0],
            "max_distance": _known(far),
            "personalization_enabled": is_personal,
        }


def _synthetic_listings(listings: synth.Listings, poster_ids: list[str]) -> Iterator[Row]:
    for uid, poster, lat, lon, tags, pay, created_at, expires_at in zip(
        synth_staging.uuid_texts(listings.uid),
        listings.poster.tolist(),
        listings.lat.tolist(),
        listings.lon.tolist(),
        listings.tags.tolist(),
        listings.compensation.tolist(),
        listings.created_at.tolist(),
        listings.expires_at.tolist(),
        strict=True,
    ):
        yield {
            "listing_id": uid,
            "poster_id": poster_ids[poster],
            "lat": _known(lat),
            "lon": _known(lon),
            "tags": [TAGS[tag] for tag in tags if tag >= 0],
            "compensation": None if pay != pay else f"{pay:.2f}",
            "created_at": instant(created_at),
            "starts_at": None,
            "expires_at": None if expires_at == synth.NEVER else instant(expires_at),
        }


def _synthetic_posters(posters: synth.Posters, poster_ids: list[str]) -> Iterator[Row]:
    for uid, rating, *counts in zip(
        poster_ids,
        posters.average_rating.tolist(),
        posters.rating_count.tolist(),
        posters.accepted_count.tolist(),
        posters.completed_count.tolist(),
        strict=True,
    ):
        names = ("rating_count", "accepted_count", "completed_count")
        yield {"poster_id": uid, "average_rating": _known(rating)} | dict(
            zip(names, counts, strict=True)
        )


def _known(number: float) -> float | None:
    return None if number != number else number
