"""Users who write at once, and what must hold of keys, states and counters afterwards."""

import csv
import random
import threading
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb

TYPES = ("view", "click", "apply", "save", "share", "dismiss")
WEIGHTS = {"apply": 10, "save": 5, "share": 3, "click": 2, "view": 1, "dismiss": -5}
ONCE_EVER = ("apply", "save", "dismiss")
FUNNEL = ("view",) * 5 + ("click",) * 3 + TYPES


class Arena:
    """Users and listings of one database, and sessions that act as users in it."""

    def __init__(self, connect: Callable[[], psycopg.Connection], users: int, listings: int):
        self.connect = connect
        self.users = [str(uuid.uuid4()) for _ in range(users)]
        self.listings = [str(uuid.uuid4()) for _ in range(listings)]
        with connect() as connection:
            connection.execute(
                "insert into feed.users (user_uid) select unnest(%s::uuid[])", (self.users,)
            )
            # The first user posted every tenth listing.
            connection.execute(
                "insert into feed.posters (poster_uid) values (%s)", (self.users[0],)
            )
            connection.execute(
                """
                insert into feed.listings (listing_id, poster_uid, title)
                select l.listing_id, case when l.place %% 10 = 1 then %(poster)s::uuid end, 'x'
                from unnest(%(listings)s::uuid[]) with ordinality as l (listing_id, place)
                """,
                {"poster": self.users[0], "listings": self.listings},
            )

    def session(self) -> "Session":
        return Session(self.connect())

    def at_once(self, count: int, work: Callable[["Session", int], object]) -> list:
        """Runs work in so many sessions, all starting together; an error of any fails."""
        barrier = threading.Barrier(count)

        def one(number: int) -> object:
            with self.session() as session:
                barrier.wait()
                return work(session, number)

        with ThreadPoolExecutor(count) as pool:
            return [done.result() for done in [pool.submit(one, n) for n in range(count)]]


class Session:
    """One connection; each call a transaction of one user, as PostgREST makes it."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def call(
        self, user: str | None, query: str, *parameters: object, role: str = "authenticated"
    ) -> object:
        with self.connection.transaction():
            self.connection.execute(
                """
                select
                    set_config('role', %s, true),
                    set_config('request.jwt.claims', json_build_object('sub', %s::text)::text, true)
                """,
                (role, user),
            )
            (answer,) = self.connection.execute(query, parameters).fetchone()
        return answer

    def track(
        self, user: str, listing: str, type: str, event: str | None = None, at: object = None
    ) -> str:
        answer = self.call(
            user,
            "select api.track_interaction(%s, %s, '{}', %s, %s)",
            *(listing, type, event, at),
        )
        return answer["status"]

    def batch(self, user: str, events: list[dict], on_error: str = "abort") -> list[dict]:
        return self.call(user, "select api.track_interactions(%s, %s)", Jsonb(events), on_error)

    def retract(self, user: str, event: str) -> None:
        self.call(user, "select api.retract_interaction(%s)", event)


def assert_consistent(connection: psycopg.Connection) -> None:
    """Counters, states and keys, each recomputed here from the log alone."""
    log = connection.execute(
        """
        select i.user_uid, i.listing_id, i.type::text, i.created_at, i.event_id,
            l.poster_uid, u.user_no, l.listing_no
        from feed.user_interactions as i
        inner join feed.users as u using (user_uid)
        inner join feed.listings as l using (listing_id)
        """
    ).fetchall()

    keys = connection.execute("select user_uid, event_id from feed.interaction_keys").fetchall()
    assert Counter(keys) == Counter((row[0], row[4]) for row in log)

    counted: dict[object, set] = defaultdict(set)
    pairs: dict[tuple, list] = defaultdict(list)
    for user, listing, kind, at, _, poster, user_no, listing_no in log:
        if poster == user:
            continue
        at = at.astimezone(UTC)
        hour = None if kind in ONCE_EVER else at.replace(minute=0, second=0, microsecond=0)
        counted[listing].add((user, kind, hour))
        pairs[user_no, listing_no].append((kind, at))

    metrics = connection.execute(
        """
        select listing_id, view_count, click_count, apply_count, save_count, share_count,
            dismiss_count
        from feed.engagement_metrics
        """
    )
    stored = {listing: counts for listing, *counts in metrics if any(counts)}
    expected = {
        listing: [sum(kind == type for _, kind, _ in events) for type in TYPES]
        for listing, events in counted.items()
    }
    assert stored == expected

    states = connection.execute(
        """
        select user_no, listing_no, view_count, click_count, apply_count, save_count, share_count,
            dismiss_count, strongest_weight, is_dismissed, applied_at, saved_at, dismissed_at,
            last_at
        from feed.user_listing_states
        """
    )

    def first(events: list, kind: str) -> datetime | None:
        return min((at for other, at in events if other == kind), default=None)

    assert {tuple(row[:2]): tuple(row[2:]) for row in states} == {
        pair: (
            *(sum(kind == type for kind, _ in events) for type in TYPES),
            max(WEIGHTS[kind] for kind, _ in events),
            any(kind == "dismiss" for kind, _ in events),
            first(events, "apply"),
            first(events, "save"),
            first(events, "dismiss"),
            max(at for _, at in events),
        )
        for pair, events in pairs.items()
    }

    assert connection.execute("select * from ops.recount()").fetchall() == []


def write_folder(folder: Path, seed: int, listings: int = 200, interactions: int = 3000) -> None:
    """A world of its own as CSV files for a load, in one town, some of it months old."""
    chance = random.Random(seed)
    users = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(50)]
    listed = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(listings)]
    now = datetime.now(UTC)
    rows = {
        "users.csv": [("user_uid", "lat", "lon"), *((user, 47.4, 8.5) for user in users)],
        "listings.csv": [
            ("listing_id", "lat", "lon", "tags", "title", "created_at"),
            *(
                (listing, 47.4, 8.5, f"tag{n % 12}", "loaded", now.isoformat())
                for n, listing in enumerate(listed)
            ),
        ],
        "interactions.csv": [
            ("user_uid", "listing_id", "type", "ts"),
            *(
                (
                    chance.choice(users),
                    chance.choice(listed),
                    chance.choice(FUNNEL),
                    (
                        now - timedelta(days=chance.choice((0, 0, 1, 40)), milliseconds=n)
                    ).isoformat(),
                )
                for n in range(interactions)
            ),
        ],
    }
    folder.mkdir()
    for name, lines in rows.items():
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows(lines)
