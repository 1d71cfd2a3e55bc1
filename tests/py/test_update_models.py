"""jobs.update_models: new users get what a training would give them, whatever happens beside."""

import threading
from collections.abc import Callable
from contextlib import contextmanager

import numpy as np
import psycopg
import pytest

from harness import Instance
from pgfeed.outside import OutsideDatabase
from pgfeed.training import Stopwatch
from pgfeed.updating import update
from test_training import (
    USERS,
    WORLD,
    Running,
    current_model,
    model_rows,
    one,
    train_inside,
    wait_for_lock,
    wait_until,
)

# Three more users: one who chose like the others, one who only dismissed, one who did nothing.
NEWCOMERS = """
insert into feed.users (user_uid)
select md5('newcomer ' || n)::uuid from generate_series(1, 3) as n;
insert into feed.user_interactions (user_uid, listing_id, type, created_at)
select md5('newcomer 1')::uuid, l.listing_id, t.type, now() - l.listing_no * interval '1 hour'
from (
    select listing_id, listing_no from feed.listings where listing_no % 6 = 1
) as l
cross join (values ('view'::feed.interaction_type), ('apply')) as t (type)
where t.type = 'view' or l.listing_no % 4 = 1;
insert into feed.user_interactions (user_uid, listing_id, type)
select md5('newcomer 2')::uuid, l.listing_id, 'dismiss' from feed.listings as l
where l.listing_no < 4
"""
NEW = [USERS + 1, USERS + 2]
# One in the first newcomer's list, who posts nothing.
NEIGHBOR = 12


@pytest.fixture
def world(scratch: psycopg.Connection) -> psycopg.Connection:
    """A session in a database with a trained world and users who came after the training."""
    scratch.execute(WORLD)
    scratch.execute("set statement_timeout = '30s'")
    train_inside(scratch)
    scratch.execute(NEWCOMERS)
    return scratch


@pytest.fixture
def outside(instance: Instance, scratch_name: str) -> OutsideDatabase:
    return OutsideDatabase.connect(instance.dsn(scratch_name, user="feed_worker"))


def update_inside(connection: psycopg.Connection, as_of: str = "now") -> dict:
    found = connection.execute("call ml.update(%s::timestamptz, null, null)", (as_of,))
    return found.fetchone()[1]


def rows_of_users(connection: psycopg.Connection, table: str, user_nos: list[int]) -> list[tuple]:
    return [row for row in model_rows(connection)[table] if row[0] in user_nos]


def assert_same_lists(found: list[tuple], expected: list[tuple]) -> None:
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    for (*_, ours), (*_, theirs) in zip(found, expected, strict=True):
        assert np.allclose(ours, theirs, atol=1e-6)


def assert_same_vectors(found: list[tuple], expected: list[tuple]) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours[:2] == theirs[:2]
        assert ours[2:4] == pytest.approx(theirs[2:4])
        assert ours[4] == pytest.approx(theirs[4], abs=1e-6)


@pytest.mark.parametrize(
    "limits",
    ["", "listing_user_limit = 11", "user_pair_minimum = 25", "similarity_window = '20 days'"],
    ids=["exact", "listing_user_limit", "user_pair_minimum", "window"],
)
def test_a_new_user_gets_what_a_training_on_the_same_data_gives(
    world: psycopg.Connection, limits: str
) -> None:
    if limits:
        world.execute(f"update ml.training_parameters set {limits}")
        train_inside(world)
        world.execute(
            "delete from ml.user_vectors where user_no > %(old)s;"
            " delete from ml.user_neighbors where user_no > %(old)s".replace("%(old)s", str(USERS))
        )
        # A change is in force from the next training on.
        world.execute("update ml.training_parameters set similarity_window = '1 hour'")
    before = model_rows(world)
    clock = one(world, "select now()::text")
    details = update_inside(world, clock)
    updated = model_rows(world)
    assert details["users"] == len(NEW)
    for table, rows in before.items():
        kept = [row for row in updated[table] if table[:4] != "user" or row[0] not in NEW]
        assert kept == rows

    if limits:
        world.execute("update ml.training_parameters set similarity_window = default")
        world.execute(f"update ml.training_parameters set {limits}")
    train_inside(world, clock)
    assert_same_lists(
        [row for row in updated["user_neighbors"] if row[0] in NEW],
        rows_of_users(world, "user_neighbors", NEW),
    )
    assert_same_vectors(
        [row for row in updated["user_vectors"] if row[0] in NEW],
        rows_of_users(world, "user_vectors", NEW),
    )
    assert [row[0] for row in updated["user_vectors"] if row[0] in NEW] == NEW
    assert [row[0] for row in updated["user_neighbors"] if row[0] in NEW] == NEW[:1]


def test_the_limits_change_what_a_training_gives(world: psycopg.Connection) -> None:
    """Otherwise the test above would compare nothing."""
    train_inside(world)
    exact = rows_of_users(world, "user_neighbors", NEW[:1])
    for limits in ("listing_user_limit = 11", "user_pair_minimum = 25"):
        world.execute(f"update ml.training_parameters set {limits}")
        train_inside(world)
        limited = rows_of_users(world, "user_neighbors", NEW[:1])
        assert len(limited) == 1
        assert limited != exact
        exact = limited


def test_inside_and_outside_do_the_same(
    world: psycopg.Connection, outside: OutsideDatabase
) -> None:
    clock = one(world, "select now()::text")
    update_inside(world, clock)
    inside = model_rows(world)
    world.execute(f"delete from ml.user_vectors where user_no > {USERS}")
    with outside.connection:
        updated = update(outside, clock, Stopwatch())
    assert updated.rows == len(NEW)
    assert model_rows(world) == inside


def test_a_second_update_finds_nothing_to_do(world: psycopg.Connection) -> None:
    assert update_inside(world)["users"] == len(NEW)
    before = model_rows(world)
    assert update_inside(world)["users"] == 0
    assert model_rows(world) == before


def test_who_switched_personalization_off_is_left_out_until_it_is_on_again(
    world: psycopg.Connection,
) -> None:
    world.execute(
        "insert into feed.user_feed_preferences (user_uid, personalization_enabled)"
        " select user_uid, user_no <> %s from feed.users where user_no in (7, %s)",
        (USERS + 1, USERS + 1),
    )
    neighbor = one(
        world,
        "update feed.user_feed_preferences set personalization_enabled = false"
        " where user_uid = (select user_uid from feed.users where user_no = 7) returning 7",
    )
    assert update_inside(world)["users"] == 1
    assert rows_of_users(world, "user_vectors", NEW)[0][0] == USERS + 2
    world.execute(
        "update feed.user_feed_preferences set personalization_enabled = true"
        " where user_uid = md5('newcomer 1')::uuid"
    )
    assert update_inside(world)["users"] == 1
    ((_, neighbors, _),) = rows_of_users(world, "user_neighbors", NEW)
    assert NEIGHBOR in neighbors
    assert neighbor not in neighbors


def test_who_did_much_since_the_training_is_written_anew(world: psycopg.Connection) -> None:
    update_inside(world)
    before = dict(world.execute("select user_no, activity_level from ml.user_vectors"))
    world.execute(
        """
        insert into feed.user_interactions (user_uid, listing_id, type)
        select u.user_uid, l.listing_id, 'save'
        from feed.users as u
        cross join feed.listings as l
        where u.user_no = 5 and l.poster_uid is distinct from u.user_uid
        """
    )
    world.execute(
        """
        insert into feed.user_interactions (user_uid, listing_id, type)
        select u.user_uid, l.listing_id, 'save'
        from feed.users as u
        cross join (select * from feed.listings order by listing_no limit 3) as l
        where u.user_no = 9
        """
    )
    clock = one(world, "select now()::text")
    assert update_inside(world, clock)["users"] == 1
    after = dict(world.execute("select user_no, activity_level from ml.user_vectors"))
    assert {no for no in after if after[no] != before.get(no)} == {5}
    assert update_inside(world)["users"] == 0
    updated = rows_of_users(world, "user_neighbors", [5])
    train_inside(world, clock)
    assert_same_lists(updated, rows_of_users(world, "user_neighbors", [5]))


def test_a_run_writes_as_many_users_as_it_may(world: psycopg.Connection) -> None:
    world.execute("update ml.training_parameters set update_user_limit = 1")
    details = [update_inside(world) for _ in range(3)]
    assert [found["users"] for found in details] == [1, 1, 0]
    assert [found.get("users_waiting") for found in details] == [1, 0, None]
    assert len(rows_of_users(world, "user_vectors", NEW)) == 2


def test_before_the_first_training_there_is_nothing_to_do(scratch: psycopg.Connection) -> None:
    scratch.execute("call jobs.update_models()")
    assert scratch.execute("select rows, finished_at is not null from jobs.runs").fetchall() == [
        (0, True)
    ]


@pytest.fixture
def held_at(
    instance: Instance, scratch_name: str, world: psycopg.Connection
) -> Callable[..., object]:
    """An update that waits for a lock on a table."""

    @contextmanager
    def hold(table: str, mode: str):
        with instance.connect(scratch_name, autocommit=False) as blocker:
            blocker.execute(f"lock table {table} in {mode} mode")
            updating = Running(instance.dsn(scratch_name), "update_models")
            wait_for_lock(world, updating)
            yield updating
            blocker.rollback()
        updating.join(timeout=60)

    return hold


@pytest.mark.parametrize("leaver", [NEIGHBOR, USERS + 1], ids=["neighbor", "newcomer"])
def test_who_leaves_between_reading_and_writing_is_not_brought_back(
    world: psycopg.Connection, held_at: Callable, leaver: int
) -> None:
    # The neighbors are found by then, and nothing is written.
    with held_at("ml.tag_projections", "access exclusive") as updating:
        world.execute(
            "select api.delete_my_data(user_uid) from feed.users where user_no = %s", (leaver,)
        )
    assert updating.error is None
    assert_is_gone(world, leaver)


@pytest.mark.parametrize("leaver", [NEIGHBOR, USERS + 1], ids=["neighbor", "newcomer"])
@pytest.mark.parametrize("table", ["ml.user_neighbors", "ml.user_vectors"])
def test_who_leaves_while_it_writes_is_not_brought_back(
    world: psycopg.Connection,
    instance: Instance,
    scratch_name: str,
    held_at: Callable,
    table: str,
    leaver: int,
) -> None:
    """Both wait; either may go on first."""

    def leave() -> None:
        with instance.connect(scratch_name) as session:
            session.execute(
                "select api.delete_my_data(user_uid) from feed.users where user_no = %s", (leaver,)
            )

    with held_at(table, "share") as updating:
        leaving = threading.Thread(target=leave)
        leaving.start()
        wait_until(
            lambda: one(
                world,
                "select count(*) = 2 from pg_stat_activity"
                " where datname = current_database() and wait_event_type = 'Lock'",
            )
        )
    leaving.join()
    assert updating.error is None
    assert_is_gone(world, leaver)


def assert_is_gone(connection: psycopg.Connection, user_no: int) -> None:
    assert one(connection, "select count(*) from feed.users where user_no = %s", user_no) == 0
    for table in ("user_vectors", "user_neighbors"):
        assert one(connection, f"select count(*) from ml.{table} where user_no = %s", user_no) == 0
    assert (
        one(
            connection,
            "select count(*) from ml.user_neighbors where %s = any(neighbor_nos)",
            user_no,
        )
        == 0
    )
    # The others have been written all the same.
    written = [no for no in NEW if no != user_no]
    found = rows_of_users(connection, "user_vectors", NEW)
    assert [row[0] for row in found] == written


def test_a_model_published_meanwhile_is_not_written_into(
    world: psycopg.Connection, outside: OutsideDatabase
) -> None:
    """What was computed belongs to the model that it was computed for."""
    trained: dict[str, object] = {}

    class TrainingBeforeTheWriting(Stopwatch):
        @contextmanager
        def stage(self, name: str):
            if name == "write":
                train_inside(world)
                trained.update(model_rows(world))
            with super().stage(name):
                yield

    former = current_model(world)
    with outside.connection:
        updated = update(outside, "now", TrainingBeforeTheWriting())
    assert updated.rows == 0
    assert current_model(world) != former
    assert model_rows(world) == trained
    assert one(world, "select count(distinct model_id) from ml.user_vectors") == 1


def test_an_update_beside_a_training_goes_into_the_model_that_is_served(
    world: psycopg.Connection, instance: Instance, scratch_name: str
) -> None:
    former = current_model(world)
    with instance.connect(scratch_name, autocommit=False) as blocker:
        blocker.execute("lock table ml.listing_vectors in share mode")
        training = threading.Thread(
            target=lambda: instance.connect(scratch_name).execute("call jobs.train_models()")
        )
        training.start()
        wait_until(lambda: one(world, "select count(*) = 2 from ml.models"))
        assert update_inside(world)["model_id"] == former
        assert len(rows_of_users(world, "user_vectors", NEW)) == 2
        blocker.rollback()
    training.join()
    assert current_model(world) != former
    assert len(rows_of_users(world, "user_vectors", NEW)) == 2
    assert one(world, "select count(distinct model_id) from ml.user_vectors") == 1


@pytest.mark.parametrize("end", ["pg_terminate_backend", "pg_cancel_backend"])
@pytest.mark.parametrize(
    ("table", "mode"), [("ml.tag_projections", "access exclusive"), ("ml.user_neighbors", "share")]
)
def test_a_killed_update_leaves_nothing_half_written(
    world: psycopg.Connection, held_at: Callable, end: str, table: str, mode: str
) -> None:
    before = model_rows(world) if mode == "share" else None
    with held_at(table, mode) as updating:
        world.execute(f"select {end}(%s)", (updating.pid,))
        updating.join(timeout=60)
        assert updating.error is not None
    if before is not None:
        assert model_rows(world) == before
    # The session ends a moment after its statement.
    state = "select state from jobs.run_states where job = 'update_models'"
    wait_until(lambda: one(world, state) == "failed")
    assert update_inside(world)["users"] == len(NEW)
