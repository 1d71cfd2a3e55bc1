"""Counting under fire: real sessions at once, and at the end the counters are what the log says."""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb

from arena import FUNNEL, TYPES, Arena, Session, assert_consistent
from harness import Instance


@pytest.fixture
def arena(instance: Instance, scratch_name: str) -> Iterator[Callable[..., Arena]]:
    """Makes an arena; when the test is over, its counters are what its log says.

    And nobody has met a deadlock, not even one that was tried again.
    """
    made: list[Arena] = []
    log = instance.home / "log/postgres.log"
    start = log.stat().st_size

    def make(users: int = 16, listings: int = 40) -> Arena:
        made.append(Arena(lambda: instance.connect(scratch_name), users, listings))
        return made[0]

    yield make
    with made[0].connect() as connection:
        assert_consistent(connection)
    with log.open() as lines:
        lines.seek(start)
        assert "deadlock detected" not in lines.read()


def log_size(arena: Arena) -> int:
    with arena.connect() as connection:
        return connection.execute("select count(*) from feed.user_interactions").fetchone()[0]


def test_thirty_two_users_at_one_listing(arena: Callable) -> None:
    field = arena(users=32, listings=1)

    def work(session: Session, number: int) -> list[str]:
        chance = random.Random(number)
        return [
            session.track(field.users[number], field.listings[0], chance.choice(FUNNEL))
            for _ in range(15)
        ]

    statuses = Counter(status for done in field.at_once(32, work) for status in done)
    assert statuses == {"recorded": 32 * 15}
    assert log_size(field) == 32 * 15


def test_thirty_two_users_all_over_ten_thousand_listings(arena: Callable) -> None:
    """One by one and in batches, each in an order of its own."""
    field = arena(users=32, listings=10_000)

    def work(session: Session, number: int) -> None:
        chance = random.Random(number)
        for _ in range(5):
            session.track(field.users[number], chance.choice(field.listings), chance.choice(FUNNEL))
        events = [
            {"listing_id": listing, "type": chance.choice(FUNNEL)}
            for listing in chance.sample(field.listings, 200)
        ]
        session.batch(field.users[number], events)

    field.at_once(32, work)
    assert log_size(field) == 32 * (5 + 200)


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
    """Thirty-two users write the same listings forwards and backwards: no deadlock."""
    field = arena(users=32, listings=30)

    def work(session: Session, number: int) -> None:
        for turn in range(2):
            listings = field.listings if (number + turn) % 2 else field.listings[::-1]
            session.batch(
                field.users[number],
                [{"listing_id": listing, "type": FUNNEL[turn]} for listing in listings],
            )

    field.at_once(32, work)
    assert log_size(field) == 32 * 2 * 30


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


def test_users_are_deleted_while_they_write(arena: Callable) -> None:
    """Who was deleted and writes again is a new user; nobody is shown an error."""
    field = arena(users=9, listings=6)
    gone = set(field.users[1:])

    def work(session: Session, number: int) -> None:
        chance = random.Random(number)
        for _ in range(12):
            if number < 4:
                forget(session, chance.choice(field.users[1:]))
                continue
            user = field.users[1 + number % 8]
            session.track(user, chance.choice(field.listings), chance.choice(TYPES))
            some = [{"listing_id": listing, "type": "view"} for listing in field.listings]
            session.batch(user, chance.sample(some, 3))

    field.at_once(20, work)
    with field.session() as session:
        for user in gone:
            forget(session, user)
            session.track(user, field.listings[1], "view")
    assert log_size(field) == len(gone)


def test_the_application_writes_for_users_who_are_being_deleted(arena: Callable) -> None:
    """Each event is recorded, or refused since there is no such user: nothing in between."""
    field = arena(users=9, listings=6)

    def work(session: Session, number: int) -> list[dict]:
        chance = random.Random(number)
        answers = []
        for _ in range(10):
            if number < 3:
                forget(session, chance.choice(field.users[1:]))
                continue
            events = [
                {"user_uid": user, "listing_id": chance.choice(field.listings), "type": "save"}
                for user in chance.sample(field.users[1:], 4)
            ]
            answers += session.call(
                None,
                "select api.track_interactions(%s, 'skip')",
                Jsonb(events),
                role="service_role",
            )
            # Known again, so that there is somebody to delete.
            session.track(chance.choice(field.users[1:]), field.listings[0], "view")
        return answers

    answers = [answer for done in field.at_once(12, work) for answer in done]
    errors = {o["error"]["code"] for o in answers if o["status"] == "error"}
    assert errors <= {"PT404"}
    assert any(o["status"] == "recorded" for o in answers)


def forget(session: Session, user: str) -> None:
    """Deletes a user as the owner of the tables can: the user first, as all who write."""
    with session.connection.transaction():
        found = session.connection.execute(
            "select 1 from feed.users where user_uid = %s for update", (user,)
        ).fetchone()
        # Gone already; or gone and back, and then not locked.
        if found is None:
            return
        for table in ("feed.user_interactions", "feed.users"):
            session.connection.execute(f"delete from {table} where user_uid = %s", (user,))


def test_a_recount_among_the_writers_sees_nothing_wrong(arena: Callable) -> None:
    field = arena(users=8, listings=5)

    def work(session: Session, number: int) -> list[tuple]:
        chance = random.Random(number)
        found = []
        for _ in range(20):
            if number == 0:
                found += session.connection.execute("select * from ops.recount()").fetchall()
            else:
                listing = chance.choice(field.listings)
                session.track(field.users[number], listing, chance.choice(TYPES))
        return found

    assert [row for found in field.at_once(8, work) for row in found] == []


def test_a_repair_among_the_writers_loses_no_count(arena: Callable) -> None:
    """Whatever is damaged again and again: at the end all is as the log says."""
    field = arena(users=8, listings=4)
    damages = (
        "update feed.engagement_metrics set view_count = view_count + 3",
        "delete from feed.engagement_metrics",
        "delete from feed.user_listing_states where user_no % 2 = 0",
        "update feed.user_listing_states set save_count = save_count + 1, saved_at = now()",
        "delete from feed.interaction_keys where payload_hash % 2 = 0",
    )
    over = threading.Event()

    def work(session: Session, number: int) -> int:
        chance = random.Random(number)
        if number:
            while not over.is_set():
                listing = chance.choice(field.listings)
                session.track(field.users[number], listing, chance.choice(TYPES))
            return 0
        try:
            return sum(damage_and_repair(session, damage) for damage in damages * 2)
        finally:
            over.set()

    def damage_and_repair(session: Session, damage: str) -> int:
        with session.connection.transaction():
            # Past all triggers, but not while somebody counts.
            session.connection.execute("lock table feed.users in exclusive mode")
            session.connection.execute("set local session_replication_role = replica")
            session.connection.execute(damage)
        return len(session.connection.execute("select * from ops.recount(true)").fetchall())

    assert sum(field.at_once(8, work)) > 0
