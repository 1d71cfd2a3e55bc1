"""A small world with a past: two towns, whose people apply to what is there."""

import csv
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
USERS, LISTINGS, DAYS = 24, 40, 120


def uid(kind: int, number: int) -> str:
    return str(uuid.UUID(int=(kind << 64) | number))


def text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def write(folder: Path, name: str, rows: list[dict[str, object]]) -> None:
    with (folder / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def make_world(folder: Path) -> None:
    """Two towns; each user applies to what the town has, a new listing every three days.

    The last two users come when the last fifth of the time is on.
    """
    places = ((47.4, 8.5), (46.2, 6.1))
    listings, acts = [], []
    for number in range(LISTINGS):
        town = number % 2
        created = BEGIN + timedelta(days=3 * number)
        listings.append(
            {
                "listing_id": uid(2, number),
                "poster_id": uid(3, town),
                "lat": places[town][0] + number / 1000,
                "lon": places[town][1],
                "tags": f"town{town}|topic{number % 5}",
                "compensation": "",
                "created_at": text(created),
                "poster_rating": 5 - town,
                "title": "",
                "starts_at": text(created + timedelta(days=60)) if number % 4 else "",
            }
        )
        for user in range(town, USERS, 2):
            at = created + timedelta(days=1 + (user * 7 + number * 3) % 30, seconds=user)
            is_here = user < USERS - 2 or at > BEGIN + timedelta(days=110)
            if is_here and (user + number) % 3 and at < BEGIN + timedelta(days=DAYS):
                act = {"user_uid": uid(1, user), "listing_id": uid(2, number)}
                is_dismissed = (user + number) % 7 == 1
                kind = "dismiss" if is_dismissed else "apply"
                acts.append(act | {"type": kind, "ts": text(at)})
                # Some think again, when it is no longer in their feed.
                again = at + timedelta(days=12)
                if is_dismissed and again < BEGIN + timedelta(days=DAYS):
                    acts.append(act | {"type": "apply", "ts": text(again)})
    write(
        folder,
        "users",
        [
            {
                "user_uid": uid(1, user),
                "lat": places[user % 2][0],
                "lon": places[user % 2][1],
                "geo_known_from": text(BEGIN + timedelta(days=10 * (user % 3))),
            }
            for user in range(USERS)
        ],
    )
    write(folder, "listings", listings)
    write(folder, "interactions", acts)
