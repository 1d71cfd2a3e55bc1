"""Counting under fire: real sessions at once, and at the end the counters are what the log says."""

import os
import random
import signal
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb

from harness import Instance

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
        with connect() as connection, connection.cursor() as cursor:
            cursor.executemany(
                "insert into feed.users (user_uid) values (%s)", [(u,) for u in self.users]
            )
            # The first user posted every tenth listing.
            cursor.execute("insert into feed.posters (poster_uid) values (%s)", (self.users[0],))
            cursor.executemany(
                "insert into feed.listings (listing_id, poster_uid, title) values (%s, %s, 'x')",
                [
                    (listing, None if number % 10 else self.users[0])
                    for number, listing in enumerate(self.listings)
                ],
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


@pytest.fixture
def arena(instance: Instance, scratch_name: str) -> Iterator[Callable[..., Arena]]:
    """Makes an arena; when the test is over, its counters must be what its log says."""
    made: list[Arena] = []

    def make(users: int = 16, listings: int = 40) -> Arena:
        made.append(Arena(lambda: instance.connect(scratch_name), users, listings))
        return made[0]

    yield make
    with made[0].connect() as connection:
        assert_consistent(connection)


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

    differing = connection.execute(
        """
        select count(*) from feed.engagement_metrics as m
        full join feed.expected_engagement as e using (listing_id)
        where (m.view_count, m.click_count, m.apply_count, m.save_count, m.share_count,
                m.dismiss_count)
            is distinct from
            (e.view_count, e.click_count, e.apply_count, e.save_count, e.share_count,
                e.dismiss_count)
            and coalesce(m.view_count + m.click_count + m.apply_count + m.save_count
                + m.share_count + m.dismiss_count, 1) > 0
        """
    ).fetchone()
    assert differing == (0,)

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


def log_size(arena: Arena) -> int:
    with arena.connect() as connection:
        return connection.execute("select count(*) from feed.user_interactions").fetchone()[0]


def test_sixteen_users_at_one_listing(arena: Callable) -> None:
    field = arena(users=16, listings=1)

    def work(session: Session, number: int) -> list[str]:
        chance = random.Random(number)
        return [
            session.track(field.users[number], field.listings[0], chance.choice(FUNNEL))
            for _ in range(25)
        ]

    statuses = Counter(status for done in field.at_once(16, work) for status in done)
    assert statuses == {"recorded": 16 * 25}
    assert log_size(field) == 16 * 25


def test_sixteen_users_all_over_the_listings(arena: Callable) -> None:
    field = arena(users=16, listings=30)

    def work(session: Session, number: int) -> None:
        chance = random.Random(number)
        for _ in range(25):
            session.track(field.users[number], chance.choice(field.listings), chance.choice(FUNNEL))

    field.at_once(16, work)
    assert log_size(field) == 16 * 25


def test_one_user_in_sixteen_sessions(arena: Callable) -> None:
    """The same pair and hour at once: many rows in the log, one count."""
    field = arena(users=2, listings=3)

    def work(session: Session, number: int) -> None:
        chance = random.Random(number)
        for _ in range(15):
            session.track(field.users[1], chance.choice(field.listings), chance.choice(TYPES))

    field.at_once(16, work)
    assert log_size(field) == 16 * 15
    with field.connect() as connection:
        (most,) = connection.execute(
            "select max(greatest(apply_count, save_count, dismiss_count)) from"
            " feed.engagement_metrics"
        ).fetchone()
    assert most == 1


def test_the_same_event_from_eight_sessions(arena: Callable) -> None:
    field = arena(users=4, listings=5)
    events = [str(uuid.uuid4()) for _ in range(20)]

    def work(session: Session, number: int) -> list[str]:
        return [
            session.track(field.users[1], field.listings[n % 5], TYPES[n % 6], event)
            for n, event in enumerate(events)
        ]

    answers = field.at_once(8, work)
    for of_one_event in zip(*answers, strict=True):
        assert Counter(of_one_event) == {"recorded": 1, "duplicate": 7}
    assert log_size(field) == 20


def test_the_same_event_with_other_content_from_eight_sessions(arena: Callable) -> None:
    """One of them is recorded, the others are a conflict; nobody is told a wrong thing."""
    field = arena(users=2, listings=8)
    events = [str(uuid.uuid4()) for _ in range(10)]

    def work(session: Session, number: int) -> list[str]:
        statuses = []
        for event in events:
            try:
                statuses.append(
                    session.track(field.users[1], field.listings[number], "save", event)
                )
            except psycopg.Error as error:
                statuses.append(error.sqlstate)
        return statuses

    answers = field.at_once(8, work)
    for of_one_event in zip(*answers, strict=True):
        assert Counter(of_one_event) == {"recorded": 1, "PT409": 7}
    assert log_size(field) == 10


def test_the_same_batch_from_eight_sessions_in_any_order(arena: Callable) -> None:
    field = arena(users=2, listings=20)
    events = [
        {"listing_id": listing, "type": type, "event_id": str(uuid.uuid4())}
        for listing in field.listings
        for type in ("view", "save")
    ]

    def work(session: Session, number: int) -> list[str]:
        shuffled = random.Random(number).sample(events, len(events))
        return [o["status"] for o in session.batch(field.users[1], shuffled)]

    answers = field.at_once(8, work)
    assert sorted(Counter(statuses).most_common(1)[0] for statuses in answers) == [
        *[("duplicate", 40)] * 7,
        ("recorded", 40),
    ]
    assert log_size(field) == 40


def test_batches_in_opposite_orders(arena: Callable) -> None:
    """Sixteen users write the same listings forwards and backwards: no deadlock."""
    field = arena(users=16, listings=30)

    def work(session: Session, number: int) -> None:
        for turn in range(4):
            listings = field.listings if (number + turn) % 2 else field.listings[::-1]
            session.batch(
                field.users[number],
                [{"listing_id": listing, "type": FUNNEL[turn]} for listing in listings],
            )

    field.at_once(16, work)
    assert log_size(field) == 16 * 4 * 30


def test_the_applications_batches_of_many_users(arena: Callable) -> None:
    """The service role's batches name the same users and listings, each in its own order."""
    field = arena(users=12, listings=12)
    events = [
        {"user_uid": user, "listing_id": listing, "type": "save", "event_id": str(uuid.uuid4())}
        for user in field.users
        for listing in field.listings
    ]

    def work(session: Session, number: int) -> int:
        recorded = 0
        for turn in range(3):
            some = random.Random(100 * number + turn).sample(events, 60)
            outcomes = session.call(
                None, "select api.track_interactions(%s)", Jsonb(some), role="service_role"
            )
            recorded += sum(o["status"] == "recorded" for o in outcomes)
        return recorded

    assert sum(field.at_once(8, work)) == log_size(field)


def test_a_session_with_an_old_snapshot_has_to_try_again(arena: Callable) -> None:
    """It cannot see what it would have to count with, so it must not count."""
    field = arena(users=2, listings=2)
    record = "insert into feed.user_interactions (user_uid, listing_id, type) values (%s, %s, %s)"
    view = (field.users[1], field.listings[1], "view")
    with field.connect() as early, field.connect() as late:
        early.execute("begin isolation level repeatable read")
        early.execute("select count(*) from feed.user_interactions")
        late.execute(record, view)
        with pytest.raises(psycopg.errors.SerializationFailure):
            early.execute(record, view)
        early.execute("rollback")
        early.execute(record, view)
    assert log_size(field) == 2


def test_retracting_races_with_tracking(arena: Callable) -> None:
    field = arena(users=3, listings=2)
    recorded: list[list[str]] = [[] for _ in range(12)]

    def work(session: Session, number: int) -> int:
        chance = random.Random(number)
        user = field.users[1 + number % 2]
        retracted = 0
        for _ in range(20):
            if recorded[number] and chance.random() < 0.45:
                event = recorded[number].pop(chance.randrange(len(recorded[number])))
                session.retract(user, event)
                retracted += 1
            else:
                event = str(uuid.uuid4())
                at = datetime.now(UTC) - timedelta(hours=chance.choice([0, 0, 0, 30]))
                session.track(user, chance.choice(field.listings), chance.choice(TYPES), event, at)
                recorded[number].append(event)
        return retracted

    assert sum(field.at_once(12, work)) > 0
    assert log_size(field) == sum(len(events) for events in recorded)


def test_an_event_is_retracted_once_by_eight_sessions(arena: Callable) -> None:
    field = arena(users=2, listings=4)
    events = [str(uuid.uuid4()) for _ in range(10)]
    with field.session() as session:
        for number, event in enumerate(events):
            session.track(field.users[1], field.listings[number % 4], TYPES[number % 6], event)

    def work(session: Session, number: int) -> list[str | None]:
        outcomes = []
        for event in events:
            try:
                session.retract(field.users[1], event)
                outcomes.append(None)
            except psycopg.Error as error:
                outcomes.append(error.sqlstate)
        return outcomes

    answers = field.at_once(8, work)
    for of_one_event in zip(*answers, strict=True):
        assert Counter(of_one_event) == {None: 1, "PT404": 7}
    assert log_size(field) == 0


def test_multi_row_inserts_and_deletes_race(arena: Callable) -> None:
    """Direct statements on the log, as the owner's: many pairs a statement, in any order."""
    field = arena(users=8, listings=12)
    insert = """
        insert into feed.user_interactions (user_uid, listing_id, type, created_at)
        select u::uuid, l::uuid, t::feed.interaction_type,
            now() - interval '1 hour' * (h %% 3)
        from unnest(%s::text[], %s::text[], %s::text[], %s::int[]) as r (u, l, t, h)
    """
    delete = "delete from feed.user_interactions where user_uid = any(%s::uuid[]) and type = 'view'"

    def work(session: Session, number: int) -> int:
        chance = random.Random(number)
        inserted = 0
        for _ in range(6):
            rows = [
                (
                    chance.choice(field.users),
                    chance.choice(field.listings),
                    chance.choice(TYPES),
                    chance.randrange(9),
                )
                for _ in range(40)
            ]
            # Who writes the log directly locks the users first, as the API does.
            with session.connection.transaction():
                lock_users(session, sorted({row[0] for row in rows}))
                session.connection.execute(insert, [list(c) for c in zip(*rows, strict=True)])
            inserted += len(rows)
            if chance.random() < 0.5:
                some = chance.sample(field.users, 2)
                with session.connection.transaction():
                    lock_users(session, some)
                    session.connection.execute(delete, (some,))
        return inserted

    assert sum(field.at_once(12, work)) == 12 * 6 * 40


def lock_users(session: Session, users: list[str]) -> None:
    session.connection.execute(
        """
        select 1 from feed.users where user_uid = any(%s::uuid[]) order by user_no
        for no key update
        """,
        (users,),
    )


def test_inserts_without_any_lock_of_their_own_race(arena: Callable) -> None:
    """The triggers alone must be enough for whoever only inserts."""
    field = arena(users=6, listings=10)
    insert = """
        insert into feed.user_interactions (user_uid, listing_id, type)
        select u::uuid, l::uuid, t::feed.interaction_type
        from unnest(%s::text[], %s::text[], %s::text[]) as r (u, l, t)
    """

    def work(session: Session, number: int) -> None:
        chance = random.Random(number)
        for _ in range(10):
            rows = [
                (chance.choice(field.users), chance.choice(field.listings), chance.choice(TYPES))
                for _ in range(30)
            ]
            session.connection.execute(insert, [list(c) for c in zip(*rows, strict=True)])

    field.at_once(16, work)
    assert log_size(field) == 16 * 10 * 30


def test_the_hourly_job_runs_among_the_writers(arena: Callable) -> None:
    field = arena(users=8, listings=10)

    def work(session: Session, number: int) -> None:
        chance = random.Random(number)
        if number == 0:
            for _ in range(5):
                session.connection.execute("call jobs.refresh_engagement()")
            return
        for _ in range(30):
            session.track(field.users[number], chance.choice(field.listings), chance.choice(FUNNEL))

    field.at_once(8, work)
    # What was written after a listing was scored is still marked for the next hour.
    with field.connect() as connection:
        before = connection.execute(
            "select count(*) from feed.engagement_metrics where is_stale"
        ).fetchone()
        connection.execute("call jobs.refresh_engagement()")
        wrong = connection.execute(
            """
            select count(*) from feed.engagement_metrics as m
            cross join feed.engagement_scale as s
            where m.is_stale or abs(m.engagement_score - least(1, ln(1 + greatest(0,
                10 * apply_count + 5 * save_count + 3 * share_count + 2 * click_count + view_count
                - 5 * dismiss_count)) / ln(1 + s.ceiling))) > 1e-9
            """
        ).fetchone()
    assert before is not None
    assert wrong == (0,)


@pytest.mark.slow
def test_a_crash_loses_nothing_that_was_acknowledged(fresh_instance: Callable) -> None:
    """kill -9 of every server process in the middle of sixteen writers, then a restart."""
    instance: Instance = fresh_instance("--no-http", name="crash")
    with instance.connect() as connection:
        # The tests' instances run without fsync, which a killed process does not need: the
        # kernel still has what was written. Commits must reach it before they are answered.
        assert connection.execute("show synchronous_commit").fetchone() == ("on",)
    field = Arena(lambda: instance.connect(), users=16, listings=20)
    acknowledged: list[list[tuple[str, str]]] = [[] for _ in range(16)]
    attempted: list[set[tuple[str, str]]] = [set() for _ in range(16)]
    crashed = threading.Event()

    def write(number: int) -> None:
        chance = random.Random(number)
        user = field.users[number]
        try:
            with field.session() as session:
                while not crashed.is_set():
                    event = str(uuid.uuid4())
                    attempted[number].add((user, event))
                    listing, type = chance.choice(field.listings), chance.choice(FUNNEL)
                    session.track(user, listing, type, event)
                    acknowledged[number].append((user, event))
        except psycopg.OperationalError:
            return

    writers = [threading.Thread(target=write, args=(n,)) for n in range(16)]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + 60
    while sum(map(len, acknowledged)) < 400:
        assert time.monotonic() < deadline, "the writers do not get on"
        time.sleep(0.01)
    kill_server(instance.pid("postgres"))
    crashed.set()
    for writer in writers:
        writer.join(timeout=30)
        assert not writer.is_alive()
    # Nobody is told of a crash before it has happened.
    assert sum(map(len, acknowledged)) >= 400

    instance.up("--no-http")
    with instance.connect() as connection:
        rows = connection.execute(
            "select user_uid::text, event_id::text from feed.user_interactions"
        ).fetchall()
        present = Counter(rows)
        assert max(present.values()) == 1
        assert {pair for done in acknowledged for pair in done} <= set(present)
        assert set(present) <= set().union(*attempted)
        assert_consistent(connection)


def kill_server(postmaster: int) -> None:
    """kill -9 of the postmaster and of all its children, at once."""
    children = [
        int(line.split()[0])
        for line in os.popen(f"ps -o pid= --ppid {postmaster}").read().splitlines()
    ]
    for pid in (postmaster, *children):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + 30
    while any(os.path.exists(f"/proc/{pid}") and not is_zombie(pid) for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True
