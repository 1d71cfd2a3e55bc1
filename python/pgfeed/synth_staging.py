"""A synthetic world into the staging tables, and held-out events into a CSV file.

No CSV in between where that is slow: interactions go as one binary array a chunk; users and
listings, whose tags and texts have no fixed width, as lines of COPY's text format.
"""

import csv
import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import psycopg
from numpy.typing import NDArray

from pgfeed import binary_copy
from pgfeed.csv_layout import EVENT_NAMESPACE
from pgfeed.progress import Stages
from pgfeed.synth import (
    FIRST_MANNER_TAG,
    NEVER,
    REMOTE,
    TOPIC_COUNT,
    TYPES,
    Events,
    Impressions,
    Listings,
    Posters,
    Users,
    World,
)
from pgfeed.synth_vocabulary import CITIES, MANNERS, TAGS, TOPICS

CHUNK = 250_000
POSTGRES_EPOCH = int(np.datetime64("2000-01-01T00:00:00", "us").astype(np.int64))
NULL = "\\N"

LEVELS = ("any", "beginner", "intermediate", "advanced")


def stage(connection: psycopg.Connection, world: World, stages: Stages) -> None:
    """Copies the world into the tables of load_sql/stage.sql, on its own clock."""
    users, posters, listings = world.users, world.posters, world.listings
    with stages.stage("staging users"):
        _copy_lines(connection, "staged_users", _user_lines(users))
        _copy_lines(connection, "staged_posters", _poster_lines(users, posters))
    with stages.stage("staging listings", len(listings)) as advance:
        for start in range(0, len(listings), CHUNK):
            rows = range(start, min(start + CHUNK, len(listings)))
            _copy_lines(connection, "staged_listings", _listing_lines(world, rows))
            advance(len(rows))
    with (
        stages.stage("staging interactions", len(world.events)) as advance,
        connection.cursor() as cursor,
        cursor.copy("copy staged_interactions from stdin (format binary)") as copy,
    ):
        copy.write(binary_copy.HEADER)
        namer = EventNamer(world)
        for start in range(0, len(world.events), CHUNK):
            events = world.events.take(slice(start, start + CHUNK))
            copy.write(_packed_events(world, events, namer.ids(events), start))
            advance(len(events))
        copy.write(binary_copy.TRAILER)
    with (
        stages.stage("staging impressions"),
        connection.cursor() as cursor,
        cursor.copy("copy staged_impressions from stdin (format binary)") as copy,
    ):
        copy.write(binary_copy.HEADER)
        for start in range(0, len(world.impressions), CHUNK):
            copy.write(
                _packed_impressions(world, world.impressions.take(slice(start, start + CHUNK)))
            )
        copy.write(binary_copy.TRAILER)


class EventNamer:
    """Makes csv_layout.event_id for many events of a world, on the world's own clock."""

    def __init__(self, world: World) -> None:
        self._users = [f"{uid}/".encode() for uid in uuid_texts(world.users.uid)]
        self._listings = [f"{uid}/".encode() for uid in uuid_texts(world.listings.uid)]
        self._types = [f"{name}/".encode() for name in TYPES]

    def ids(self, events: Events) -> NDArray[np.uint8]:
        """(n, 16) bytes of the events' ids."""
        users, listings, types = self._users, self._listings, self._types
        times = np.char.encode(np.datetime_as_string(events.created_at.view("M8[us]"))).tolist()
        root = EVENT_NAMESPACE.bytes
        digests = b"".join(
            [
                hashlib.sha1(
                    root + users[user] + listings[listing] + types[kind] + at + b"Z",
                    usedforsecurity=False,
                ).digest()
                for user, listing, kind, at in zip(
                    events.user.tolist(),
                    events.listing.tolist(),
                    events.type.tolist(),
                    times,
                    strict=True,
                )
            ]
        )
        ids = np.frombuffer(digests, np.uint8).reshape(-1, 20)[:, :16].copy()
        ids[:, 6] = (ids[:, 6] & 0x0F) | 0x50
        ids[:, 8] = (ids[:, 8] & 0x3F) | 0x80
        return ids


def _packed_events(world: World, events: Events, ids: NDArray[np.uint8], start: int) -> bytes:
    """Rows of staged_interactions in binary COPY format."""
    count = len(events)
    return binary_copy.rows(
        [
            np.arange(start + 1, start + count + 1, dtype=np.int32),
            _as_uuids(world.users.uid[events.user]),
            _as_uuids(world.listings.uid[events.listing]),
            events.type.astype(np.int16) + np.int16(1),
            events.seconds.astype(np.float64),
            events.created_at - POSTGRES_EPOCH,
            _as_uuids(ids),
        ]
    )


def _packed_impressions(world: World, impressions: Impressions) -> bytes:
    """Rows of staged_impressions in binary COPY format."""
    return binary_copy.rows(
        [
            _as_uuids(world.users.uid[impressions.user]),
            _as_uuids(world.listings.uid[impressions.listing]),
            impressions.position.astype(np.int32),
            impressions.score.astype(np.float64),
            impressions.profile.astype(np.int16) + np.int16(1),
            impressions.created_at - POSTGRES_EPOCH,
        ]
    )


def _as_uuids(values: NDArray[np.uint8]) -> NDArray[np.void]:
    """(n, 16) bytes as (n,) values of 16 bytes."""
    return np.ascontiguousarray(values).view("V16").ravel()


def uuid_texts(uids: NDArray[np.uint8]) -> list[str]:
    """(n, 16) bytes as text with hyphens."""
    digits = np.ascontiguousarray(uids).tobytes().hex()
    return [
        f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
        for h in (digits[i : i + 32] for i in range(0, len(digits), 32))
    ]


def _time_texts(times: NDArray[np.int64]) -> list[str]:
    """ISO 8601 in UTC; NEVER is null."""
    is_never = times == NEVER
    texts = np.datetime_as_string(np.where(is_never, 0, times).view("M8[us]")).astype("U30")
    return np.where(is_never, NULL, np.char.add(texts, "Z")).tolist()


def _number_texts(numbers: NDArray) -> list[str]:
    """NaN is null."""
    return [NULL if number != number else f"{number:g}" for number in numbers.tolist()]


def _degree_texts(degrees: NDArray[np.float64]) -> list[str]:
    return [NULL if degree != degree else f"{degree:.5f}" for degree in degrees.tolist()]


def _tag_texts(tags: NDArray[np.int16]) -> list[str]:
    """Array literals, in the order in which the database keeps tags; {} for none."""
    return [
        "{" + ",".join(sorted([TAGS[tag] for tag in row if tag >= 0])) + "}"
        for row in tags.tolist()
    ]


def _copy_lines(connection: psycopg.Connection, table: str, lines: Iterator[str]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"copy {table} from stdin") as copy:
        batch: list[str] = []
        for line in lines:
            batch.append(line)
            if len(batch) == 5_000:
                copy.write("".join(batch))
                batch.clear()
        copy.write("".join(batch))


def _user_lines(users: Users) -> Iterator[str]:
    lat = np.where(users.has_location, users.home_lat, np.nan)
    lon = np.where(users.has_location, users.home_lon, np.nan)
    columns = (
        uuid_texts(users.uid),
        _degree_texts(lat),
        _degree_texts(lon),
        _time_texts(users.created_at),
        _tag_texts(users.preferred_tags),
        _tag_texts(users.blocked_tags),
        _number_texts(users.max_distance),
        ["t" if enabled else "f" for enabled in users.personalization_enabled.tolist()],
    )
    for line, values in enumerate(zip(*columns, strict=True), 1):
        # Who never touched the preferences has none.
        if values[4:] == ("{}", "{}", NULL, "t"):
            values = (*values[:4], NULL, NULL, NULL, NULL)
        yield f"{line}\t" + "\t".join(values) + "\n"


def _poster_lines(users: Users, posters: Posters) -> Iterator[str]:
    columns = (
        uuid_texts(users.uid[posters.user]),
        _number_texts(posters.average_rating),
        posters.rating_count.tolist(),
        posters.accepted_count.tolist(),
        posters.completed_count.tolist(),
    )
    for line, values in enumerate(zip(*columns, strict=True), 1):
        yield f"{line}\t" + "\t".join(map(str, values)) + "\n"


def _listing_lines(world: World, rows: range) -> Iterator[str]:
    listings = world.listings.take(slice(rows.start, rows.stop))
    poster_texts = uuid_texts(world.users.uid[world.posters.user])
    is_closed = listings.closes_at <= world.until
    columns = (
        uuid_texts(listings.uid),
        [poster_texts[poster] for poster in listings.poster.tolist()],
        texts_of(listings),
        _tag_texts(listings.tags),
        _degree_texts(listings.lat),
        _degree_texts(listings.lon),
        _number_texts(listings.compensation),
        ["closed" if closed else "open" for closed in is_closed.tolist()],
        _time_texts(listings.created_at),
        _time_texts(listings.expires_at),
    )
    for row, values in zip(rows, zip(*columns, strict=True), strict=True):
        uid, poster, (title, description, attributes), *rest = values
        tags, lat, lon, pay, status, created_at, expires_at = rest
        external_id = f"{world.scale}-{world.seed}-{row + 1}"
        currency = NULL if pay == NULL else "EUR"
        yield (
            f"{row + 1}\t{uid}\t{poster}\t{NULL}\t{external_id}\t{title}\t{title}\t{description}\t"
            f"https://listings.example/{external_id}\t{NULL}\t{attributes}\t{tags}\t{lat}\t{lon}\t"
            f"{pay}\t{currency}\t{status}\t{created_at}\t{expires_at}\n"
        )


def texts_of(listings: Listings) -> Iterator[tuple[str, str, str]]:
    """Title, description and attributes (JSON) of each."""
    for topic_number, scene, manner, city, places, tags in zip(
        listings.topic.tolist(),
        listings.scene.tolist(),
        listings.manner.tolist(),
        listings.city.tolist(),
        listings.places.tolist(),
        listings.tags.tolist(),
        strict=True,
    ):
        topic = TOPICS[topic_number]
        noun = topic.nouns[scene]
        where = "online" if city == REMOTE else f"in {CITIES[city][0]}"
        what = f"{MANNERS[manner][0]} {noun}" if manner >= 0 else noun[0].upper() + noun[1:]
        subjects = [TAGS[tag] for tag in tags if TOPIC_COUNT <= tag < FIRST_MANNER_TAG]
        words = " and ".join(subjects[:2]).replace("-", " ")
        if topic.is_paid:
            description = f"Paid work: {words}. Say when you have time."
        else:
            description = f"For everybody who likes {words}. {places} places."
        attributes = {"places": places, "level": LEVELS[places % len(LEVELS)]}
        if city != REMOTE:
            attributes["city"] = CITIES[city][0]
        yield f"{what} {where}", description, json.dumps(attributes)


def write_holdout(world: World, held_out: Events, shift: timedelta, path: Path) -> None:
    """Held-out events as an interactions file of the CSV layout, with times shifted."""
    user_texts = uuid_texts(world.users.uid)
    listing_texts = uuid_texts(world.listings.uid)
    moved = held_out.created_at + shift // timedelta(microseconds=1)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["user_uid", "listing_id", "type", "ts", "seconds"])
        for user, listing, kind, at, seconds in zip(
            held_out.user.tolist(),
            held_out.listing.tolist(),
            held_out.type.tolist(),
            _time_texts(moved),
            held_out.seconds.tolist(),
            strict=True,
        ):
            writer.writerow(
                [
                    user_texts[user],
                    listing_texts[listing],
                    TYPES[kind],
                    at,
                    "" if seconds < 0 else seconds,
                ]
            )
