"""pgfeed demo-users: tokens of a few users worth being, for the demo's page."""

import json
import math
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

import click
import psycopg
from psycopg.rows import class_row

from pgfeed.instance import Instance, signed_token
from pgfeed.synth_vocabulary import CITIES

VALID_FOR = timedelta(days=7)


class Person(NamedTuple):
    """A user and what tells them from others."""

    user_uid: str
    lat: float | None
    lon: float | None
    max_distance: float | None
    preferred_tags: list[str]
    blocked_tags: list[str]
    is_personal: bool
    state_count: int
    is_poster: bool


PEOPLE = """
    select
        u.user_uid::text,
        ext.st_y(u.location::ext.geometry) as lat,
        ext.st_x(u.location::ext.geometry) as lon,
        p.max_distance,
        coalesce(p.preferred_tags, '{}') as preferred_tags,
        coalesce(p.blocked_tags, '{}') as blocked_tags,
        coalesce(p.personalization_enabled, true) as is_personal,
        coalesce(s.state_count, 0) as state_count,
        o.poster_uid is not null as is_poster
    from feed.users as u
    left join feed.user_feed_preferences as p using (user_uid)
    left join feed.posters as o on u.user_uid = o.poster_uid
    left join (
        select user_no, count(*) as state_count
        from feed.user_listing_states
        group by user_no
    ) as s using (user_no)
    order by u.user_uid
"""

# What makes somebody interesting: a few words, who it can be, and who first.
KINDS: tuple[
    tuple[str, Callable[[Person], bool], Callable[[Person], float]],
    ...,
] = (
    ("knows what they like", lambda p: bool(p.preferred_tags) and p.is_personal, lambda p: 0),
    ("looks at a lot", lambda p: p.is_personal, lambda p: -p.state_count),
    ("tastes learned, none named", lambda p: not p.preferred_tags, lambda p: -p.state_count),
    ("is new here", lambda p: p.lat is not None, lambda p: p.state_count),
    ("without personalization", lambda p: not p.is_personal, lambda p: -p.state_count),
    ("blocks tags", lambda p: bool(p.blocked_tags), lambda p: -len(p.blocked_tags)),
    ("stays close", lambda p: p.max_distance is not None, lambda p: p.max_distance or 0),
    ("goes anywhere", lambda p: p.max_distance is None, lambda p: -p.state_count),
    ("place unknown", lambda p: p.lat is None, lambda p: -p.state_count),
    ("posts listings, too", lambda p: p.is_poster, lambda p: -p.state_count),
)


def nearest_city(lat: float, lon: float) -> str | None:
    """The city of the made-up world within about 50 km, if any."""

    def distance(city: tuple[str, float, float]) -> float:
        return math.hypot(city[1] - lat, (city[2] - lon) * math.cos(math.radians(lat)))

    city = min(CITIES, key=distance)
    return city[0] if distance(city) < 0.5 else None


def label(kind: str, person: Person) -> str:
    """What the picker says: "Berlin · looks at a lot · jazz, hiking"."""
    city = None if person.lat is None else nearest_city(person.lat, person.lon)
    parts = [city, kind]
    if person.blocked_tags and kind == "blocks tags":
        parts.append("no " + ", ".join(person.blocked_tags[:3]))
    elif person.max_distance is not None and kind == "stays close":
        parts.append(f"{person.max_distance:g} km")
    elif person.preferred_tags:
        parts.append(", ".join(person.preferred_tags[:3]))
    said = " · ".join(part for part in parts if part)
    return said[0].upper() + said[1:]


def chosen(people: list[Person]) -> list[tuple[str, Person]]:
    """One user of each kind, nobody twice; a kind that nobody is of is left out."""
    picked: dict[str, tuple[str, Person]] = {}
    for kind, fits, order in KINDS:
        candidates = [p for p in people if p.user_uid not in picked and fits(p)]
        if candidates:
            person = min(candidates, key=lambda p: (p.lat is None, order(p)))
            picked[person.user_uid] = (label(kind, person), person)
    return list(picked.values())


@click.command()
def demo_users() -> None:
    """Print a JSON list of users to act as, each with a token for seven days."""
    secret = Instance.from_environment().secret
    with psycopg.connect(row_factory=class_row(Person)) as connection:
        people = connection.execute(PEOPLE).fetchall()
    users = [
        {
            "label": said,
            "user_uid": person.user_uid,
            "role": "authenticated",
            "token": signed_token(secret, person.user_uid, valid_for=VALID_FOR),
        }
        for said, person in chosen(people)
    ]
    analyst = {
        "label": "Analyst",
        "user_uid": None,
        "role": "feed_analyst",
        "token": signed_token(secret, role="feed_analyst", valid_for=VALID_FOR),
    }
    click.echo(json.dumps([*users, analyst], ensure_ascii=False, indent=1))
