"""The product at a moment of the past: its own load, its own jobs, its own answers.

Times move by whole hours, so that the cut-off is within the last hour: then the jobs, whose
clock is the wall's, see the past as they would have seen it, and what is counted once an hour
stays in its hour. The feed is asked as of the cut-off to the microsecond.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from threading import Event

import numpy as np
import psycopg

from pgfeed import load
from pgfeed.bench.server import Server
from pgfeed.commands.train import RANKING_JOBS, run_job
from pgfeed.components import COMPONENTS
from pgfeed.evaluation import known
from pgfeed.evaluation.cutoffs import Cutoff
from pgfeed.evaluation.data import Data, instant
from pgfeed.progress import Stages

TEMPLATE = "pgfeed_evaluate"
FEED_ROWS = 200
"""As many as get_feed gives at once: how deep the rank of a positive is known."""

AGREEMENT = 1e-5
"""How far the feed's scores may be from the reference's, as the contract has it."""

_CANDIDATE = np.dtype(
    [
        ("id", "V16"),
        ("distance_km", ">f8"),
        ("age_days", ">f8"),
        ("values", ">f8", (len(COMPONENTS),)),
        ("score", ">f8"),
    ]
)
MEASURES = ("values", "distance_km", "age_days")
"""Of each candidate: fields of an Answer, and of _CANDIDATE."""


class FeedDiffers(Exception):
    """get_feed and the reference gave different rankings."""


@dataclass(frozen=True)
class Answer:
    """What one user gets at a cut-off.

    listings: (n,) int32 every candidate, as a position in Data.listings, ascending
    values: (n, components) float64
    distance_km: (n,) float64, NaN where unknown
    age_days: (n,) float64
    feed: (at most FEED_ROWS,) int32 what get_feed gave, best first
    """

    user: int
    listings: np.ndarray
    values: np.ndarray
    distance_km: np.ndarray
    age_days: np.ndarray
    feed: np.ndarray


@contextmanager
def scratch(server: Server) -> Iterator[str]:
    """A deployed database of its own, gone afterwards."""
    name = f"evaluate_{uuid.uuid4().hex[:12]}"
    with server.connect("postgres") as connection:
        connection.execute(f'create database "{name}" template "{TEMPLATE}"')
        try:
            yield name
        finally:
            connection.execute(f'drop database "{name}" with (force)')


def is_in_use(server: Server) -> bool:
    """Has any run a scratch database there?"""
    with server.connect("postgres") as connection:
        return connection.execute(
            "select exists (select from pg_database as d where d.datname like 'evaluate\\_%')"
        ).fetchone()[0]


def fill(server: Server, database: str, data: Data, cutoff: Cutoff) -> datetime:
    """Loads what was known at the cut-off, runs what ranks; returns the cut-off's new time."""
    shift = shift_to_now(instant(cutoff.at))
    with tempfile.TemporaryDirectory(prefix="pgfeed-evaluate-") as folder:
        known.write(data, cutoff, Path(folder))
        with server.connect(database) as connection:
            load.load(connection, Path(folder), True, Silent("evaluate"), by=shift)
    with server.connect(database) as connection:
        for job in RANKING_JOBS:
            run_job(connection, job)
        connection.execute("analyze feed.user_listing_states")
    return instant(cutoff.at) + shift


def shift_to_now(at: datetime) -> timedelta:
    """The whole hours that bring a moment into the last hour."""
    hour = timedelta(hours=1)
    return (datetime.now(UTC) - at) // hour * hour


def ask(
    server: Server,
    database: str,
    data: Data,
    users: np.ndarray,
    as_of: datetime,
    sessions: int,
    profile: str = "default",
) -> Iterator[Answer]:
    """What these users get, in their order. Raises FeedDiffers."""
    position = {uuid.UUID(row["listing_id"]).bytes: p for p, row in enumerate(data.listings)}
    uids = [data.users[user]["user_uid"] for user in users.tolist()]
    chunks = [range(start, len(uids), sessions) for start in range(sessions)]

    is_stopped = Event()

    def ask_some(rows: range) -> list[tuple[int, Answer]]:
        with server.connect(database) as connection:
            return [
                (row, _answer(connection, int(users[row]), uids[row], profile, as_of, position))
                for row in rows
                if not is_stopped.is_set()
            ]

    with ThreadPoolExecutor(sessions) as pool:
        try:
            answers = dict(pair for part in pool.map(ask_some, chunks) for pair in part)
        except BaseException:
            # Or the pool would wait until everybody has been asked.
            is_stopped.set()
            raise
    yield from (answers[row] for row in range(len(uids)))


def _answer(
    connection: psycopg.Connection,
    user: int,
    user_uid: str,
    profile: str,
    as_of: datetime,
    position: dict[bytes, int],
) -> Answer:
    parameters = {
        "user_uid": user_uid,
        "profile": profile,
        "as_of": as_of,
        "limit": FEED_ROWS,
    }
    packed = connection.execute(_SCORED, parameters, binary=True).fetchone()[0]
    scored = np.frombuffer(packed, dtype=_CANDIDATE)
    listings = np.array([position[bytes(key)] for key in scored["id"]], dtype=np.int32)
    with connection.transaction():
        connection.execute("set local role service_role")
        packed = connection.execute(_FEED, parameters, binary=True).fetchone()[0]
    feed = np.array(
        [position[packed[start : start + 16]] for start in range(0, len(packed), 16)],
        dtype=np.int32,
    )
    require_same(listings, scored["score"].astype(np.float64), feed, user_uid)
    order = np.argsort(listings)
    columns = (scored[name][order].astype(np.float64) for name in MEASURES)
    return Answer(user, listings[order], *columns, feed)


def require_same(listings: np.ndarray, scores: np.ndarray, feed: np.ndarray, user_uid: str) -> None:
    """The feed is the head of the reference's ranking, but for scores within AGREEMENT.

    listings: (n,) in the reference's order, with their scores (n,)
    """
    wanted = min(len(listings), FEED_ROWS)
    score_of = dict(zip(listings.tolist(), scores.tolist(), strict=True))
    given = np.array([score_of.get(listing, np.nan) for listing in feed.tolist()])
    if (
        len(feed) != wanted
        or len(np.unique(feed)) != wanted
        or not np.all(np.abs(given - scores[:wanted]) <= AGREEMENT)
    ):
        raise FeedDiffers(
            f"get_feed and feed.score_listings give user {user_uid} different listings"
        )


def profile(server: Server, database: str, name: str = "default") -> tuple[np.ndarray, np.ndarray]:
    """A profile: (components,) float64 weights, and (2,) half-life in days and decay in km."""
    columns = ", ".join(f"p.{component}_weight::double precision" for component in COMPONENTS)
    with server.connect(database) as connection:
        *weights, half_life, decay = connection.execute(
            f"""
            select {columns},
                extract(epoch from p.recency_half_life)::double precision / 86400,
                p.location_decay_km
            from feed.ranking_profiles as p where p.profile_name = %s
            """,
            (name,),
        ).fetchone()
    return np.array(weights), np.array([half_life, decay])


class Silent(Stages):
    """Says nothing: there is one bar for all cut-offs."""

    @contextmanager
    def stage(self, name: str, total: float | None = None) -> Iterator[object]:
        """No bar."""
        yield lambda amount: None

    def note(self, text: str) -> None:
        """No line."""


_SCORED = files("pgfeed.evaluation").joinpath("scored.sql").read_text(encoding="utf-8")
_FEED = files("pgfeed.evaluation").joinpath("feed.sql").read_text(encoding="utf-8")
