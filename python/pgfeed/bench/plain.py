"""The best feed that plain SQL gives: one statement over a covering index by cell."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from pgfeed.bench.catalogue import EARTH_RADIUS_KM, chord_of, unit_vector

FOLDER = Path(__file__).parent
# Listings whose content is looked at before the cut is known.
FIRST = 200
# More cells than this are more than reading everything.
MOST_CELLS = 20_000


class PlainFeed:
    """A session with the tables of plain_setup.sql."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.connection.cursor_factory = psycopg.ClientCursor
        self.connection.row_factory = dict_row
        self.asker = (FOLDER / "plain_asker.sql").read_text()
        self.text = _without_comments((FOLDER / "plain_feed.sql").read_text())
        self.profile = connection.execute((FOLDER / "profile.sql").read_text()).fetchone()

    def best(self, user_uid: UUID, wanted: int) -> psycopg.Cursor:
        """The wanted best listings, best first: dicts."""
        user = self.connection.execute(
            self.asker,
            {"user_uid": user_uid, "inferred_tag_count": self.profile["inferred_tag_count"]},
        ).fetchone()
        return self.connection.execute(self._statement(user_uid, user, wanted))

    def _statement(self, user_uid: UUID, user: dict[str, Any], wanted: int) -> sql.Composed:
        p = self.profile
        values = {
            name: p[name]
            for name in (
                "engagement_weight",
                "recency_weight",
                "poster_weight",
                "collaborative_weight",
                "content_weight",
                "seen_window",
            )
        } | {
            "recency_rate": math.log(2) / (p["half_life_days"] * 86400),
            "as_of": user["as_of"],
            "as_of_epoch": user["as_of_epoch"],
            "user_uid": user_uid,
            "user_no": user["user_no"],
            "first": FIRST,
            "wanted": wanted,
        }
        parts = {name: sql.Literal(value) for name, value in values.items()}
        listings, location, eligible = _place(user, p)
        return sql.SQL(self.text).format(
            **parts,
            listings=listings,
            location=location,
            eligible=sql.SQL(" ").join([eligible, _blocked(user)]),
            tag=_tag(user, p["tag_weight"]),
            content=_content(user, p["content_weight"]),
        )


def set_up(connection: psycopg.Connection) -> None:
    """Makes and fills the tables."""
    connection.execute((FOLDER / "plain_setup.sql").read_text())
    connection.execute("vacuum analyze bench_plain.listings")
    connection.execute("vacuum analyze bench_plain.vectors")


def cells(lat: float, lon: float, distance_km: float) -> list[int] | None:
    """The cells that a circle may touch and that of remote listings; None for too many."""
    degrees = math.degrees(distance_km / EARTH_RADIUS_KM) + 0.01
    if abs(lat) + degrees > 89:
        return None
    # The widest of a circle's parallels is the one nearer to the pole.
    width = degrees / math.cos(math.radians(abs(lat) + degrees))
    rows = range(math.floor((lat - degrees + 90) * 10), math.floor((lat + degrees + 90) * 10) + 1)
    columns = range(math.floor((lon - width + 180) * 10), math.floor((lon + width + 180) * 10) + 1)
    if len(rows) * len(columns) > MOST_CELLS:
        return None
    return [-1] + [row * 3600 + column % 3600 for row in rows for column in columns]


def _place(user: dict[str, Any], p: dict[str, Any]) -> tuple[sql.Composable, ...]:
    """Where to read, the location's contribution, and the limit of distance."""
    everything = sql.SQL("bench_plain.listings")
    unknown = sql.Literal(p["location_weight"] * p["unknown_location_score"])
    if user["lat"] is None:
        return everything, unknown, sql.SQL("")
    x, y, z = (sql.Literal(float(v)) for v in unit_vector(user["lat"], user["lon"]))
    square = sql.SQL(
        "((b.x - {x}) * (b.x - {x}) + (b.y - {y}) * (b.y - {y}) + (b.z - {z}) * (b.z - {z}))"
    ).format(x=x, y=y, z=z)
    location = sql.SQL(
        "case when b.x is null then {unknown} else {weight}"
        " * exp(greatest(-500, asin(least(1, sqrt({square}) / 2)) * {rate})) end"
    ).format(
        unknown=unknown,
        weight=sql.Literal(p["location_weight"]),
        square=square,
        rate=sql.Literal(-2 * EARTH_RADIUS_KM / p["decay_km"]),
    )
    if user["max_distance"] is None:
        return everything, location, sql.SQL("")
    limit = sql.SQL("and (b.x is null or {square} <= {limit})").format(
        square=square, limit=sql.Literal(float(chord_of(user["max_distance"]) ** 2))
    )
    near = cells(user["lat"], user["lon"], user["max_distance"])
    if near is None:
        return everything, location, limit
    listings = sql.SQL("(select l.* from bench_plain.listings as l where l.cell = any({near}))")
    return listings.format(near=sql.Literal(near)), location, limit


def _tag(user: dict[str, Any], weight: float) -> sql.Composable:
    if not user["tag_nos"]:
        return sql.Literal(0.0)
    return sql.SQL(
        "case when b.tags operator(ext.&&) {tags} then {weight}"
        " * ext.icount(b.tags operator(ext.&) {tags})::double precision"
        " / (ext.icount(b.tags operator(ext.|) {tags}) + {unknown}) else 0 end"
    ).format(
        tags=sql.Literal(user["tag_nos"]),
        weight=sql.Literal(weight),
        # Tags of the user that no listing has.
        unknown=sql.Literal(user["tag_count"] - len(user["tag_nos"])),
    )


def _blocked(user: dict[str, Any]) -> sql.Composable:
    if not user["blocked_tag_nos"]:
        return sql.SQL("")
    return sql.SQL("and not b.tags operator(ext.&&) {tags}").format(
        tags=sql.Literal(user["blocked_tag_nos"])
    )


def _content(user: dict[str, Any], weight: float) -> sql.Composable:
    """From the distance of unit vectors: cos = 1 - d² / 2."""
    if user["vector"] is None:
        return sql.Literal(0.0)
    return sql.SQL(
        "{weight} * coalesce(greatest(0, 1 - (v.vector operator(bench_plain.<->)"
        " bench_plain.cube({vector}::double precision[])) ^ 2 / 2), 0)"
    ).format(weight=sql.Literal(weight), vector=sql.Literal(user["vector"]))


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))
