"""The engine among others: writers and folds at work, killed folds, crashes, copies."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import IsolationLevel
from psycopg.types.json import Jsonb

from arena import write_folder
from engine_world import STATISTICS, World
from harness import BINARIES, Instance, run
from pgfeed import load
from pgfeed.progress import Stages

LISTINGS = 80
ROUNDS = 60


def make_world(session: psycopg.Connection, seed: int) -> World:
    """A committed, folded world in blocks of 4."""
    session.execute("create schema if not exists tests")
    session.execute(STATISTICS)
    session.execute("update feed.block_parameters set block_size = 4")
    world = World(session, seed)
    world.make(LISTINGS, has_vectors=True, has_neighbors=True)
    world.fold()
    return world


def look(world: World, session: psycopg.Connection) -> World:
    """The same world, seen from another session."""
    other = World(session, world.random.randrange(2**32))
    other.users, other.asker, other.listings = world.users, world.asker, world.listings
    return other


@pytest.fixture
def database(instance: Instance, template: str) -> Iterator[Callable[..., psycopg.Connection]]:
    """Opens sessions in one scratch database."""
    with instance.scratch_database(template) as name:
        opened: list[psycopg.Connection] = []

        def connect(**options: object) -> psycopg.Connection:
            opened.append(instance.connect(name, **options))
            return opened[-1]

        yield connect
        for connection in opened:
            connection.close()


def test_feeds_are_exact_while_others_write_and_fold(database):
    world = make_world(database(), 11)
    stop = threading.Event()
    failures: list[BaseException] = []
    folded = 0

    def work(step: Callable[[], None]) -> None:
        try:
            while not stop.is_set():
                step()
        except BaseException as failure:
            failures.append(failure)
            stop.set()

    def writer(seed: int) -> Callable[[], None]:
        own = look(world, database())
        own.random.seed(seed)
        changes = [
            World.new_listing,
            World.change_listing,
            World.move_listing,
            World.expire_listing,
            World.rate,
            World.engage,
            World.interact,
            World.retract,
            World.change_preferences,
        ]
        return lambda: own.random.choice(changes)(own)

    folding = look(world, database())

    def fold() -> None:
        nonlocal folded
        own = folding
        own.random.choice((World.fold, World.fold_some))(own)
        folded += 1

    workers = [threading.Thread(target=work, args=(writer(n),)) for n in (1, 2)]
    workers.append(threading.Thread(target=work, args=(fold,)))
    reader = database(autocommit=False)
    reader.isolation_level = IsolationLevel.REPEATABLE_READ
    own = look(world, reader)
    # Looking has begun a transaction, and with it a snapshot: each round is to have one of its own.
    reader.rollback()
    for worker in workers:
        worker.start()
    shown: set[str] = set()
    try:
        for _ in range(ROUNDS):
            with reader.transaction():
                shown |= own.compare()
                shown |= own.compare()
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    if failures:
        raise failures[0]
    assert folded > 0
    assert {"scored a block", "read unfolded changes"} <= shown


def test_feeds_are_exact_while_a_load_and_folds_are_at_work(database, tmp_path):
    world = make_world(database(), 16)
    is_over = threading.Event()

    def fold() -> int:
        own, folded = look(world, database()), 0
        while not is_over.is_set():
            own.fold_some()
            own.fold()
            folded += 1
        return folded

    def write() -> int:
        own, written = look(world, database()), 0
        while not is_over.is_set():
            own.change_listing()
            event = {
                "user_uid": own.random.choice(own.users),
                "listing_id": own.random.choice(own.listings),
                "type": own.random.choice(("view", "save", "dismiss")),
            }
            own.run("select api.track_interactions(%s)", Jsonb([event]))
            written += 1
        return written

    reader = database(autocommit=False)
    reader.isolation_level = IsolationLevel.REPEATABLE_READ

    def read() -> int:
        own, compared = look(world, reader), 0
        while not is_over.is_set():
            with reader.transaction():
                own.compare()
            compared += 1
        return compared

    with ThreadPoolExecutor(3) as pool:
        others = [pool.submit(work) for work in (fold, write, read)]
        try:
            for number in range(3):
                write_folder(tmp_path / str(number), number, interactions=500)
                load.load(database(), tmp_path / str(number), False, Stages("load"))
        finally:
            is_over.set()
        assert all(other.result() > 0 for other in others)
    with reader.transaction():
        look(world, reader).compare()
    (count,) = world.run("select count(*) from feed.listings where title = 'loaded'")[0]
    assert count == 3 * 200
    assert world.run("select * from ops.recount()") == []


def test_a_fold_waits_for_nobody_and_nobody_for_a_fold(database):
    world = make_world(database(), 12)
    own, other = look(world, database()), database()
    other.execute("set statement_timeout = '20s'")
    with own.session.transaction():
        own.change_listing()
        own.new_listing()
        # An open transaction of a writer: its changes are not there to be folded yet.
        other.execute("select * from feed.fold_changes()")
    changes = other.execute("select count(*) from feed.listing_changes").fetchone()[0]
    assert changes > 0, "what was committed after the fold is still to be folded"
    look(world, other).compare()

    with own.session.transaction():
        own.fold()
        # An open fold: writers and readers go on.
        writer = look(world, other)
        writer.change_listing()
        writer.compare()
    look(world, other).compare()


def test_a_killed_fold_leaves_the_former_state(database):
    world = make_world(database(), 13)
    session = database()
    blocks = "select block_no, version from feed.listing_blocks order by block_no"
    world.change_listing()
    world.new_listing()
    before = session.execute(blocks).fetchall()
    changes = session.execute("select count(*) from feed.listing_changes").fetchone()[0]

    victim = database(autocommit=False)
    victim.execute("select * from feed.fold_changes()")
    session.execute("select pg_terminate_backend(%s)", (victim.info.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        victim.execute("select 1")

    assert session.execute(blocks).fetchall() == before
    assert session.execute("select count(*) from feed.listing_changes").fetchone()[0] == changes
    for _ in range(5):
        look(world, session).compare()
    world.fold()
    assert session.execute("select count(*) from feed.listing_changes").fetchone()[0] == 0
    for _ in range(5):
        look(world, session).compare()


def test_a_session_keeps_blocks_and_nothing_of_a_user(database):
    world = make_world(database(), 14)
    world.compare()
    kept = """
        create or replace function tests.cached() returns text language plpython3u as $$
        import pickle
        cache = GD["pgfeed.engine"][1]
        return pickle.dumps({k: v for k, v in vars(cache).items()}).hex()
        $$
    """
    world.session.execute(kept)
    cached = bytes.fromhex(world.session.execute("select tests.cached()").fetchone()[0])
    for user in world.users:
        assert user.encode() not in cached
        assert bytes.fromhex(user.replace("-", "")) not in cached
    names = world.session.execute("""
        create or replace function tests.kept() returns text[] language plpython3u as $$
        return sorted(vars(GD["pgfeed.engine"][1]))
        $$;
    """)
    names = world.session.execute("select tests.kept()").fetchone()[0]
    assert names == [
        "block_of",
        "blocks",
        "change_keys",
        "change_rows",
        "changes_now",
        "changes_seen",
        "geometries",
        "near",
        "near_centers",
        "near_radii",
        "poster_facts",
        "remote",
        "scored",
        "seen",
        "skipped",
        "vectors",
    ], "what is cached is of listings, blocks and posters"


def test_blocks_survive_a_crash_a_restore_and_a_standby(fresh_instance, test_home):
    instance = fresh_instance("--no-http", name="engine")
    with instance.connect() as session:
        world = make_world(session, 15)
        world.change_listing()
        world.new_listing()
        world.move_listing()
        session.execute("checkpoint")
        world.close_many()
    victim = instance.connect(autocommit=False)
    victim.execute("select * from feed.fold_changes()")

    # A crash in the middle of a fold.
    os.kill(instance.pid("postgres"), signal.SIGKILL)
    instance.up("--no-http")
    with instance.connect() as session:
        assert session.execute("select count(*) from feed.listing_changes").fetchone()[0] > 0
        for _ in range(5):
            look(world, session).compare()

    # Dump and restore into another database.
    dump = test_home / "engine.dump"
    environment = instance.environment
    with instance.connect("postgres") as connection:
        connection.execute("create database restored")
    try:
        run(
            BINARIES / "pg_dump",
            "-Fc",
            "--exclude-extension=pg_cron",
            "-f",
            dump,
            env=environment,
            check=False,
        )
        run(BINARIES / "pg_dump", "-Fc", "-N", "cron", "-f", dump, env=environment)
        run(BINARIES / "pg_restore", "-d", "restored", dump, env=environment, check=False)
    finally:
        dump.unlink(missing_ok=True)
    with instance.connect("restored") as session:
        assert session.execute("select count(*) from feed.listing_blocks").fetchone()[0] > 1
        for _ in range(5):
            look(world, session).compare()

    # A standby answers the same.
    with instance.standby() as dsn:
        with instance.connect() as session:
            world = look(world, session)
            world.change_listing()
            world.fold_some()
            lsn = session.execute("select pg_current_wal_lsn()").fetchone()[0]
        with psycopg.connect(dsn, autocommit=True) as session:
            replayed = "select pg_is_in_recovery() and pg_last_wal_replay_lsn() >= %s"
            while not session.execute(replayed, (lsn,)).fetchone()[0]:
                session.execute("select pg_sleep(0.05)")
            for _ in range(5):
                look(world, session).compare()
