"""Training in a real server: in it and outside, killed, and with others at work."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import psycopg
import pytest

from harness import Instance
from pgfeed.outside import OutsideDatabase
from pgfeed.training import Stopwatch, train

USERS, LISTINGS = 60, 150

MODEL_TABLES = {
    "tag_projections": "tag, idf, vector",
    "location_clusters": "cluster_no, centre",
    "listing_vectors": "listing_no, feature_vector",
    "user_vectors": "user_no, tag_preference::text, compensation_preference, activity_level,"
    " feature_vector",
    "user_neighbors": "user_no, neighbor_nos, similarities",
    "listing_neighbors": "listing_no, neighbor_nos, similarities",
}

WORLD = f"""
select setseed(0.25);
select feed.ensure_partitions(now() - interval '100 days', now());
insert into feed.users (user_uid) select gen_random_uuid() from generate_series(1, {USERS});
insert into feed.posters (poster_uid, average_rating, rating_count)
select user_uid, 1 + 4 * random(), 10 from feed.users where user_no <= 5;
insert into feed.listings (poster_uid, title, tags, location, compensation, currency)
select
    -- of every 45th listing nothing is known
    case when n % 45 <> 0 then
        (select p.poster_uid from feed.posters as p order by p.poster_uid offset n % 5 limit 1)
    end,
    'listing ' || n,
    case
        when n % 9 <> 0 then array['tag ' || n % 7, 'tag ' || n % 11, 'tag ' || n % 13]
        else '{{}}'
    end,
    case
        when n % 8 <> 0 and n % 45 <> 0
        then ext.st_point(n % 4 * 10 + random(), 45 + random(), 4326)
    end,
    case when n % 5 <> 0 then (random() * 1000)::numeric(14, 2) end,
    case when n % 5 <> 0 then 'EUR' end
from generate_series(1, {LISTINGS}) as n;
insert into feed.user_interactions (user_uid, listing_id, type, created_at)
select
    u.user_uid,
    l.listing_id,
    (array['view', 'click', 'apply', 'save', 'dismiss'])[1 + (random() * 4)::integer]
    ::feed.interaction_type,
    now() - random() * interval '90 days'
from feed.users as u
cross join feed.listings as l
where random() < 0.2 and l.poster_uid is distinct from u.user_uid and u.user_no <= {USERS - 5}
"""


@pytest.fixture
def world(scratch: psycopg.Connection) -> psycopg.Connection:
    """A session in a database with a small world."""
    scratch.execute(WORLD)
    scratch.execute("set statement_timeout = '30s'")
    return scratch


@pytest.fixture
def clock(world: psycopg.Connection) -> str:
    """A moment after everything that happened."""
    return one(world, "select now()::text")


def one(connection: psycopg.Connection, sql: str, *parameters: object) -> object:
    row = connection.execute(sql, parameters or None).fetchone()
    return row[0] if row else None


def current_model(connection: psycopg.Connection) -> object:
    return one(connection, "select model_id from ml.current_model")


def train_inside(connection: psycopg.Connection, as_of: str = "now") -> None:
    connection.execute("call ml.train(%s::timestamptz, null, null)", (as_of,))


def model_rows(connection: psycopg.Connection) -> dict[str, list[tuple]]:
    """Everything of the current model, in order of its keys."""
    return {
        table: connection.execute(
            f"select {columns} from ml.{table} inner join ml.current_model using (model_id)"
            " order by 1"
        ).fetchall()
        for table, columns in MODEL_TABLES.items()
    }


def listings_without_vector(connection: psycopg.Connection) -> object:
    return one(
        connection,
        """
        select count(*) from feed.listings as l
        where not exists (
            select from ml.listing_vectors as v
            inner join ml.current_model using (model_id)
            where v.listing_no = l.listing_no
        )
        """,
    )


def wait_until(is_so: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


class Running(threading.Thread):
    """A job in a session of its own."""

    def __init__(self, dsn: str, job: str = "train_models") -> None:
        super().__init__()
        self.job = job
        self.session = psycopg.connect(dsn, autocommit=True)
        self.pid = self.session.info.backend_pid
        self.error: psycopg.Error | None = None
        self.start()

    def run(self) -> None:
        with self.session:
            try:
                self.session.execute(f"call jobs.{self.job}()")
            except psycopg.Error as error:
                self.error = error


def wait_for_lock(connection: psycopg.Connection, running: Running) -> None:
    blockers = "select cardinality(pg_blocking_pids(%s))"
    wait_until(lambda: one(connection, blockers, running.pid))


@pytest.fixture
def start_training(instance: Instance, scratch_name: str) -> Iterator[Callable[[], Running]]:
    started: list[Running] = []

    def start() -> Running:
        started.append(Running(instance.dsn(scratch_name)))
        return started[-1]

    yield start
    for training in started:
        training.join(timeout=60)


@pytest.fixture
def held_at(
    instance: Instance, scratch_name: str, world: psycopg.Connection
) -> Callable[..., object]:
    """Holds a training where it writes a table, by a lock on it."""

    @contextmanager
    def hold(training_of: Callable[[], Running], table: str) -> Iterator[Running]:
        with instance.connect(scratch_name, autocommit=False) as blocker:
            blocker.execute(f"lock table ml.{table} in share mode")
            training = training_of()
            wait_for_lock(world, training)
            yield training

    return hold


def test_in_the_server_and_outside_the_same_model_is_trained(
    world: psycopg.Connection, clock: str, instance: Instance, scratch_name: str
) -> None:
    train_inside(world, clock)
    inside = model_rows(world)
    outside = OutsideDatabase.connect(instance.dsn(scratch_name, user="feed_worker"))
    with outside.connection:
        trained = train(outside, clock, Stopwatch())
    assert trained.model_id == current_model(world)
    assert model_rows(world) == inside
    assert all(inside.values()), "a table is empty"
    assert one(world, "select count(*) from ml.models") == 1


def test_the_command_trains_from_outside_and_logs_its_run(
    world: psycopg.Connection, instance: Instance, scratch_name: str
) -> None:
    arguments = ("train", "--dsn", instance.dsn(scratch_name, user="feed_worker"))
    done = instance.bin("pgfeed", *arguments)
    assert f"model {current_model(world)} of {USERS} users and {LISTINGS} listings" in done.stdout
    run = world.execute(
        "select finished_at is not null, rows, details from jobs.runs where job = 'train_models'"
    ).fetchall()
    assert [(done, rows > 0) for done, rows, _ in run] == [(True, True)]
    assert run[0][2]["users"] == USERS


def test_neighbors_and_preferences_are_what_the_tables_say(
    world: psycopg.Connection, clock: str
) -> None:
    train_inside(world, clock)
    dense = np.zeros((USERS, LISTINGS))
    states = world.execute(
        "select user_no - 1, listing_no - 1, strongest_weight from feed.user_listing_states"
        " where not is_dismissed"
    ).fetchall()
    for user, listing, weight in states:
        dense[user, listing] = min(max(weight / 10, 0), 1)
    lengths = np.linalg.norm(dense, axis=1)
    unit = dense / np.where(lengths == 0, 1, lengths)[:, np.newaxis]
    cosines = unit @ unit.T
    rows = world.execute(
        "select user_no - 1, neighbor_nos, similarities from ml.user_neighbors"
    ).fetchall()
    assert len(rows) == USERS - 5
    for user, neighbors, similarities in rows:
        others = [v for v in range(USERS) if v != user and cosines[user, v] > 0]
        others.sort(key=lambda v: (-round(cosines[user, v], 10), v))
        assert [no - 1 for no in neighbors] == others[:50]
        assert np.allclose(similarities, cosines[user, others[:50]], atol=1e-6)

    differing = world.execute(
        """
        with expected as (
            select
                s.user_no,
                t.tag,
                sum(
                    case when s.is_dismissed then -5 else s.strongest_weight end
                    * power(0.5, extract(epoch from %s::timestamptz - s.last_at) / (30 * 86400))
                ) as weight
            from feed.user_listing_states as s
            inner join feed.listings as l using (listing_no)
            cross join unnest(l.tags) as t (tag)
            group by s.user_no, t.tag
        ),
        found as (
            select v.user_no, p.tag, p.weight::float8 as weight
            from ml.user_vectors as v
            cross join jsonb_each_text(v.tag_preference) as p (tag, weight)
        )
        select * from expected full join found using (user_no, tag)
        where abs(coalesce(expected.weight, 0) - coalesce(found.weight, 0)) > 1e-5
        """,
        (clock,),
    ).fetchall()
    assert differing == []


def test_listings_go_together_as_the_tables_say(world: psycopg.Connection) -> None:
    world.execute("update feed.listings set status = 'closed' where listing_no % 10 = 3")
    world.execute(
        "update feed.listings set expires_at = now() + interval '1 ms' where listing_no % 10 = 7"
    )
    world.execute(
        "insert into feed.user_feed_preferences (user_uid, personalization_enabled)"
        " select user_uid, false from feed.users where user_no % 8 = 0"
    )
    world.execute("update ml.training_parameters set listing_neighbor_count = 20")
    time.sleep(0.01)
    train_inside(world)
    dense = np.zeros((USERS, LISTINGS))
    states = world.execute(
        "select user_no - 1, listing_no - 1, strongest_weight from feed.user_listing_states"
        " where not is_dismissed and user_no % 8 <> 0"
    ).fetchall()
    for user, listing, weight in states:
        dense[user, listing] = min(max(weight / 10, 0), 1)
    chosen = (dense > 0).astype(float)
    sums = dense.sum(axis=1, keepdims=True)
    counts = np.maximum(chosen.sum(axis=0), 1)
    expected = chosen.T @ (dense / np.where(sums == 0, 1, sums))
    expected /= counts[:, np.newaxis] ** 0.8 * counts**0.2
    expected[chosen.T @ chosen < 2] = 0
    np.fill_diagonal(expected, 0)
    is_closed = np.isin(np.arange(1, LISTINGS + 1) % 10, (3, 7))
    expected[:, is_closed] = 0
    nearest = expected.max(axis=1)
    expected = np.minimum(expected / np.quantile(nearest[nearest > 0], 0.9), 1)

    rows = world.execute(
        "select listing_no - 1, neighbor_nos, similarities from ml.listing_neighbors"
    ).fetchall()
    assert len(rows) == np.count_nonzero(nearest)
    assert any(is_closed[listing] for listing, _, _ in rows), "a closed one may be chosen"
    for listing, neighbors, similarities in rows:
        wanted = np.sort(expected[listing])[::-1]
        assert len(neighbors) == min(20, np.count_nonzero(wanted))
        assert np.allclose(similarities, wanted[: len(neighbors)], atol=1e-5)
        assert np.allclose(similarities, expected[listing, np.array(neighbors) - 1], atol=1e-5)
        assert sorted(similarities, reverse=True) == similarities


def test_listings_have_no_neighbors_where_none_are_asked_for(
    world: psycopg.Connection, clock: str
) -> None:
    train_inside(world, clock)
    assert one(world, "select count(*) > 0 from ml.listing_neighbors")
    world.execute("update ml.training_parameters set listing_neighbor_count = 0")
    train_inside(world, clock)
    assert one(world, "select count(*) from ml.listing_neighbors") == 0


DELETE_LISTING_4 = """
delete from feed.user_interactions as i
using feed.listings as l where i.listing_id = l.listing_id and l.listing_no = 4;
delete from feed.user_listing_states where listing_no = 4;
delete from feed.engagement_base as b
using feed.listings as l where b.listing_id = l.listing_id and l.listing_no = 4;
delete from feed.engagement_metrics as m
using feed.listings as l where m.listing_id = l.listing_id and l.listing_no = 4;
delete from feed.listings where listing_no = 4
"""


def test_a_listing_deleted_during_the_training_has_no_neighbors(
    world: psycopg.Connection, start_training: Callable, held_at: Callable
) -> None:
    # Everything is read by then; which listings go together is not yet known.
    with held_at(start_training, "user_neighbors") as training, world.transaction():
        world.execute(DELETE_LISTING_4)
    training.join()
    assert training.error is None
    assert one(world, "select count(*) from ml.listing_neighbors where listing_no = 5") == 1
    assert one(world, "select count(*) from ml.listing_neighbors where listing_no = 4") == 0


def test_a_deleted_listing_takes_its_neighbors_along(world: psycopg.Connection, clock: str) -> None:
    train_inside(world, clock)
    assert one(world, "select count(*) from ml.listing_neighbors where listing_no = 4") == 1
    with world.transaction():
        world.execute(DELETE_LISTING_4)
    assert one(world, "select count(*) from ml.listing_neighbors where listing_no = 4") == 0


def test_a_new_listing_has_at_its_commit_the_vector_that_training_makes(
    world: psycopg.Connection, clock: str
) -> None:
    train_inside(world, clock)
    trained = dict(model_rows(world)["listing_vectors"])
    world.execute(
        """
        insert into feed.listings (poster_uid, title, tags, location, compensation, currency)
        select poster_uid, 'again ' || listing_no, tags, location, compensation, currency
        from feed.listings order by listing_no
        """
    )
    pairs = world.execute(
        "select o.listing_no, n.listing_no from feed.listings as o inner join feed.listings as n"
        " on n.title = 'again ' || o.listing_no"
    ).fetchall()
    written = dict(model_rows(world)["listing_vectors"])
    assert len(pairs) == LISTINGS
    assert [written[new] for _, new in pairs] == [trained[old] for old, _ in pairs]
    assert {no for no, vector in trained.items() if vector is None} == {45, 90, 135}


def test_a_changed_listing_or_poster_changes_the_vectors(
    world: psycopg.Connection, clock: str
) -> None:
    train_inside(world, clock)
    before = dict(model_rows(world)["listing_vectors"])
    world.execute("update feed.listings set title = 'renamed'")
    assert dict(model_rows(world)["listing_vectors"]) == before
    world.execute("update feed.listings set tags = '{tag 1}' where listing_no = 2")
    world.execute(
        "update feed.posters set rating_count = 1000, average_rating = 5"
        " where poster_uid = (select poster_uid from feed.listings where listing_no = 3)"
    )
    after = dict(model_rows(world)["listing_vectors"])
    changed = {no for no, vector in after.items() if vector != before[no]}
    of_the_poster = {
        no
        for (no,) in world.execute(
            "select listing_no from feed.listings where poster_uid ="
            " (select poster_uid from feed.listings where listing_no = 3)"
        )
    }
    assert changed == of_the_poster | {2}
    # What the triggers wrote is what the same projection makes of all listings anew.
    world.execute(
        "select ml.write_listing_vectors((select array_agg(listing_no) from feed.listings))"
    )
    assert dict(model_rows(world)["listing_vectors"]) == after


def test_who_opts_out_or_goes_during_the_training_is_in_no_part_of_it(
    world: psycopg.Connection, start_training: Callable, held_at: Callable
) -> None:
    # The neighbors are written by then, the users' vectors are not.
    with held_at(start_training, "listing_vectors"):
        world.execute(
            "insert into feed.user_feed_preferences (user_uid, personalization_enabled)"
            " select user_uid, false from feed.users where user_no = 10"
        )
        world.execute("select api.delete_my_data(user_uid) from feed.users where user_no = 20")
    wait_until(lambda: current_model(world))
    assert one(world, "select count(*) from ml.user_neighbors where user_no in (10, 20)") == 0
    assert one(world, "select count(*) from ml.user_vectors where user_no in (10, 20)") == 0
    assert one(world, "select count(*) from ml.user_neighbors where neighbor_nos && '{10,20}'") == 0
    details = one(world, "select details from ml.models")
    assert details["neighbor_count"] == 50
    start_training().join()
    assert one(world, "select count(*) from ml.user_neighbors") == USERS - 5 - 2


@pytest.mark.parametrize("table", ["user_neighbors", "user_vectors", "current_model"])
def test_who_leaves_at_the_same_moment_is_not_brought_back(
    world: psycopg.Connection,
    instance: Instance,
    scratch_name: str,
    start_training: Callable,
    held_at: Callable,
    table: str,
) -> None:
    """The deletion and the training wait for each other's locks; either may go on first."""
    gone = one(world, "select user_uid from feed.users where user_no = 20")

    def leave() -> None:
        with instance.connect(scratch_name) as session:
            session.execute("select api.delete_my_data(%s)", (gone,))

    with held_at(start_training, table) as training:
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
    training.join()
    assert training.error is None
    assert current_model(world) is not None
    assert one(world, "select count(*) from feed.users where user_uid = %s", gone) == 0
    for place in ("user_vectors where user_no = 20", "user_neighbors where user_no = 20"):
        assert one(world, f"select count(*) from ml.{place}") == 0
    assert one(world, "select count(*) from ml.user_neighbors where 20 = any(neighbor_nos)") == 0
    assert one(world, "select count(*) from ml.user_neighbors") == USERS - 5 - 1
    assert one(world, "select count(*) from tests.wrong_counters") == 0


def test_a_deleted_user_leaves_the_lists_of_others_at_once(
    world: psycopg.Connection, clock: str
) -> None:
    train_inside(world, clock)
    before = dict(
        world.execute("select user_no, neighbor_nos from ml.user_neighbors where user_no <> 8")
    )
    assert any(8 in neighbors for neighbors in before.values())
    with world.transaction():
        uid = one(world, "select user_uid from feed.users where user_no = 8")
        world.execute("delete from feed.user_interactions where user_uid = %s", (uid,))
        world.execute("delete from feed.users where user_uid = %s", (uid,))
    after = dict(world.execute("select user_no, neighbor_nos from ml.user_neighbors"))
    assert after == {
        user: [no for no in neighbors if no != 8] for user, neighbors in before.items()
    }


@pytest.mark.parametrize(
    ("table", "end"),
    [
        ("user_neighbors", "pg_terminate_backend"),
        ("user_neighbors", "pg_cancel_backend"),
        ("listing_neighbors", "pg_terminate_backend"),
        ("listing_neighbors", "pg_cancel_backend"),
        ("tag_projections", "pg_cancel_backend"),
        ("listing_vectors", "pg_terminate_backend"),
        ("user_vectors", "pg_cancel_backend"),
        ("current_model", "pg_terminate_backend"),
        ("current_model", "pg_cancel_backend"),
    ],
)
def test_a_killed_training_leaves_the_former_model_and_no_debris_after_the_next(
    world: psycopg.Connection,
    start_training: Callable,
    held_at: Callable,
    end: str,
    table: str,
) -> None:
    start_training().join()
    first, rows = current_model(world), model_rows(world)
    with held_at(start_training, table) as training:
        began = time.monotonic()
        world.execute(f"select {end}(%s)", (training.pid,))
        training.join()
        # A second is promised; the machine of a test may be busy.
        assert time.monotonic() - began < 3
        assert training.error is not None
    assert current_model(world) == first
    assert model_rows(world) == rows
    assert one(world, "select count(*) from jobs.runs where finished_at is null") == 1

    start_training().join()
    assert current_model(world) > first
    assert one(world, "select count(*) from ml.models") == 1
    for relation in MODEL_TABLES:
        assert one(world, f"select count(distinct model_id) from ml.{relation}") == 1


def test_one_training_at_a_time(
    world: psycopg.Connection, start_training: Callable, held_at: Callable
) -> None:
    with held_at(start_training, "listing_vectors"):
        second = start_training()
        second.join()
        assert second.error is None
        assert one(world, "select count(*) from jobs.runs") == 1


def test_a_listing_written_while_the_model_is_published_is_not_left_behind(
    world: psycopg.Connection,
    instance: Instance,
    scratch_name: str,
    start_training: Callable,
) -> None:
    insert = "insert into feed.listings (title, tags) values (%s, '{tag 1}')"
    with (
        instance.connect(scratch_name, autocommit=False) as slow,
        instance.connect(scratch_name, autocommit=False) as repeatable,
    ):
        repeatable.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        repeatable.execute("select 1 from feed.listings limit 1")
        slow.execute(insert, ("slow",))
        training = start_training()
        wait_until(
            lambda: one(
                world,
                "select count(*) from pg_locks where locktype = 'advisory' and not granted"
                " and pid = %s",
                training.pid,
            )
        )
        # While the training waits for the slow writer, others wait for it only so long.
        began = time.monotonic()
        world.execute(insert, ("meanwhile",))
        assert time.monotonic() - began < 3
        assert current_model(world) is None
        slow.commit()
        training.join()
        assert training.error is None
        # A snapshot older than the model must not write a vector of no model.
        with pytest.raises(psycopg.errors.SerializationFailure):
            repeatable.execute(insert, ("repeatable",))
    assert listings_without_vector(world) == 0


def test_no_listing_is_without_a_vector_under_fire(
    world: psycopg.Connection,
    instance: Instance,
    scratch_name: str,
    start_training: Callable,
) -> None:
    start_training().join()
    stop = threading.Event()
    written = [0, 0]

    def write(writer: int) -> None:
        with instance.connect(scratch_name) as session:
            while not stop.is_set():
                session.execute(
                    "insert into feed.listings (title, tags) values ('x', array[%s])",
                    (f"tag {written[writer] % 9}",),
                )
                session.execute(
                    "update feed.listings set compensation = %s where listing_no = %s",
                    (written[writer], 1 + written[writer] % LISTINGS),
                )
                written[writer] += 1

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(2)]
    for thread in writers:
        thread.start()
    try:
        for _ in range(3):
            training = start_training()
            while training.is_alive():
                assert listings_without_vector(world) == 0
            assert training.error is None
    finally:
        stop.set()
        for thread in writers:
            thread.join()
    assert min(written) > 10
    found = model_rows(world)["listing_vectors"]
    world.execute(
        "select ml.write_listing_vectors((select array_agg(listing_no) from feed.listings))"
    )
    assert model_rows(world)["listing_vectors"] == found


def test_an_empty_database_trains_and_then_takes_its_first_listing(
    scratch: psycopg.Connection,
) -> None:
    train_inside(scratch)
    scratch.execute("insert into feed.listings (title, tags) values ('first', '{new}')")
    assert model_rows(scratch)["listing_vectors"] == [(1, None)]
    train_inside(scratch)
    assert model_rows(scratch)["listing_vectors"] != [(1, None)]


def loaded(connection: psycopg.Connection) -> str:
    """The libraries that the session's server process has loaded."""
    return str(
        one(
            connection, "select pg_read_file(format('/proc/%s/maps', pg_backend_pid()), 0, 1 << 24)"
        )
    )


def test_a_write_loads_no_python_before_the_first_training_and_then_numpy_alone(
    scratch: psycopg.Connection, instance: Instance, scratch_name: str
) -> None:
    insert = "insert into feed.listings (title, tags) values ('a', '{b}')"
    scratch.execute(insert)
    assert "plpython3" not in loaded(scratch)
    train_inside(scratch)
    with instance.connect(scratch_name) as writer:
        writer.execute(insert)
        libraries = loaded(writer)
    assert "numpy" in libraries
    assert "/scipy/" not in libraries
    assert "/sklearn/" not in libraries
