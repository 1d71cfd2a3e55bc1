"""Training on Spark: what it finds is what the local engine finds, and what goes wrong is told.

One session in this process, on two threads; a standalone master and worker on loopback; and a
command that is killed.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import REPOSITORY, Instance, clean_environment, run
from pgfeed import similarity
from pgfeed.outside import OutsideDatabase
from pgfeed.similarity import Neighbors, interest_matrix, leave_out
from pgfeed.spark.exchange import Exchange, folder_for
from pgfeed.spark.planning import Pairs, Plan, SimilarityParameters, divide, make_plan
from pgfeed.spark.products import columns_for_blocks, neighbors_of_block
from pgfeed.spark.session import SparkFailed, explained, session
from pgfeed.spark.similarity import SparkSimilarity, nearest_users, try_out
from pgfeed.training import Stopwatch, train
from test_similarity import interests
from test_training import USERS, clock, current_model, model_rows, one, wait_until, world

__all__ = ["clock", "world"]

PAGE = (REPOSITORY / "docs/dba/spark.md").read_text()
NO_LIMITS = SimilarityParameters(5, None, 1, 1000)


def pairs_of(dense: np.ndarray) -> Pairs:
    """All pairs of a dense matrix, those without interest too, in a scrambled order."""
    rng = np.random.default_rng(0)
    order = rng.permutation(dense.size)
    users, listings = (part.ravel()[order].astype("i4") for part in np.indices(dense.shape))
    latitudes = rng.uniform(-90, 90, dense.shape[1])
    latitudes[::3] = np.nan
    longitudes = rng.uniform(-180, 180, dense.shape[1])
    return Pairs(users, listings, dense[users, listings], latitudes, longitudes, len(dense))


def here(pairs: Pairs, parameters: SimilarityParameters) -> Neighbors:
    """What the local engine finds."""
    shape = (pairs.n_users, pairs.n_listings)
    matrix = interest_matrix(pairs.users, pairs.listings, pairs.interest, shape)
    matrix = leave_out(matrix, parameters.listing_user_limit, parameters.user_pair_minimum)
    return similarity.nearest_users(matrix, parameters.neighbor_count)


def assert_same(blocks: list[tuple[np.ndarray, Neighbors]], expected: Neighbors) -> None:
    """The same neighbors in the same order; each user with neighbors in one block."""
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for users, neighbors in blocks:
        for place, user in enumerate(users.tolist()):
            assert user not in found
            found[user] = neighbors.of(place)
    for user in range(len(expected.starts) - 1):
        rows, similarities = expected.of(user)
        found_rows, found_similarities = found.get(user, (np.empty(0), np.empty(0)))
        assert found_rows.tolist() == rows.tolist()
        assert np.allclose(found_similarities, similarities, rtol=0, atol=1e-5)


# ---------------------------------------------------------------------- without Spark


def in_blocks(plan: Plan, pairs_per_piece: int, shares: int) -> list[tuple[np.ndarray, Neighbors]]:
    """What the stages do, one after the other."""
    pieces = list(plan.pieces(pairs_per_piece))
    users, listings, blocks, values = (
        np.concatenate(column) for column in zip(*pieces, strict=True)
    )
    columns: dict[int, list] = {}
    for share in range(shares):
        some = listings % shares == share
        if some.any():
            found = columns_for_blocks(
                users[some], listings[some], blocks[some], values[some], shares
            )
            for block, part in found:
                columns.setdefault(block, []).append(part)
    parameters = plan.parameters
    results = [
        neighbors_of_block(parts, parameters.neighbor_count, parameters.products_per_step)
        for parts in columns.values()
    ]
    assert sum(result.products for result in results) == plan.products
    return [(result.users, result.neighbors) for result in results]


@settings(deadline=None)
@given(
    interests,
    st.integers(1, 6),
    st.sampled_from([None, 1, 2, 3]),
    st.integers(1, 4),
    st.integers(1, 400),
    st.integers(1, 5),
)
def test_blocks_find_what_the_whole_finds(dense, count, limit, minimum, per_block, shares):
    parameters = SimilarityParameters(count, limit, minimum, 10)
    pairs = pairs_of(dense)
    plan = make_plan(pairs, parameters, per_block, 1)
    assert_same(in_blocks(plan, 7, shares), here(pairs, parameters))


@given(st.lists(st.integers(0, 50), min_size=1), st.integers(1, 100), st.randoms())
def test_blocks_are_runs_of_the_order_and_of_the_size_asked_for(work, limit, random):
    work = np.array(work)
    order = np.array(random.sample(range(len(work)), len(work)))
    blocks, count = divide(work, order, limit)
    assert (np.diff(blocks[order]) >= 0).all()
    assert np.unique(blocks).tolist() == list(range(count))
    for block in range(count):
        inside = work[order][blocks[order] == block]
        # One user may have more than a block should, and it may begin just before the limit.
        assert inside.sum() <= limit + inside.max()


def test_who_chooses_near_each_other_is_in_one_block():
    # Users 0, 2, 4, … choose in one town and 1, 3, 5, … in another.
    users = np.repeat(np.arange(40, dtype="i4"), 3)
    listings = (np.tile(np.arange(3), 40) + 3 * (users % 2)).astype("i4")
    pairs = Pairs(
        users,
        listings,
        np.ones(120, "f4"),
        np.repeat([45.0, 46.0], 3),
        np.repeat([7.0, 9.0], 3),
        40,
    )
    plan = make_plan(pairs, NO_LIMITS, 10**9, 2)
    assert plan.block_count == 2
    assert len(set(plan.blocks[::2])) == len(set(plan.blocks[1::2])) == 1


# ---------------------------------------------------------------------- a session in this process


@pytest.fixture(scope="module")
def spark() -> Iterator[object]:
    from pyspark import SparkContext

    before = dict(os.environ)
    try:
        with session("local[2]") as started:
            yield started
    finally:
        # Its Java would stay as long as this process.
        gateway, SparkContext._gateway, SparkContext._jvm = SparkContext._gateway, None, None
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(timeout=60)
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def exchange(spark: object, tmp_path: Path) -> Iterator[Exchange]:
    with Exchange(spark, str(tmp_path / "exchange")) as opened:
        yield opened


DENSE = np.random.default_rng(5).choice(np.array([0, 0, 0, 0, 0.125, 0.5, 1], "f4"), size=(61, 40))


# 61 users: one block, blocks that do not divide them, and hardly two users in one.
@pytest.mark.parametrize("share", [1, 7, 40])
def test_spark_finds_what_the_local_engine_finds(
    spark: object, exchange: Exchange, share: int
) -> None:
    parameters = SimilarityParameters(9, None, 1, 1000)
    pairs = pairs_of(DENSE)
    products = make_plan(pairs, parameters, 10**9, 1).products
    found = list(
        nearest_users(spark, exchange, pairs, parameters, Stopwatch(), products // share, 0)
    )
    assert share / 2 < len(found) <= share + 1
    assert_same(found, here(pairs, parameters))


def test_where_nobody_chose_anything_nobody_has_neighbors(
    spark: object, exchange: Exchange
) -> None:
    pairs = pairs_of(np.zeros((3, 4), "f4"))
    assert list(nearest_users(spark, exchange, pairs, NO_LIMITS, Stopwatch())) == []


PARAMETERS = [
    "neighbor_count = 50",
    "neighbor_count = 4, listing_user_limit = 11, user_pair_minimum = 20",
]


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_the_same_model_is_trained(
    world: psycopg.Connection,
    clock: str,
    instance: Instance,
    scratch_name: str,
    spark: object,
    exchange: Exchange,
    parameters: str,
) -> None:
    world.execute(f"update ml.training_parameters set {parameters}")
    database = OutsideDatabase.connect(instance.dsn(scratch_name, user="feed_worker"))
    with database.connection:
        train(database, clock, Stopwatch())
        local = model_rows(world)
        trained = train(database, clock, Stopwatch(), SparkSimilarity(spark, exchange))
    assert trained.model_id == current_model(world)
    on_spark = model_rows(world)
    ours, theirs = local.pop("user_neighbors"), on_spark.pop("user_neighbors")
    assert on_spark == local
    assert [row[:2] for row in theirs] == [row[:2] for row in ours]
    assert 0 < len(ours) == trained.details["users_with_neighbors"]
    for (*_, expected), (*_, found) in zip(ours, theirs, strict=True):
        assert np.allclose(found, expected, rtol=0, atol=1e-5)


def test_what_executors_write_elsewhere_is_missed(spark: object, exchange: Exchange) -> None:
    found = nearest_users(spark, exchange, pairs_of(DENSE), NO_LIMITS, Stopwatch(), 2000)
    lost = max(Path(exchange.uri("found")).glob("*.parquet"), key=lambda file: file.stat().st_size)
    lost.unlink()
    with pytest.raises(SparkFailed, match="--exchange must be one folder"):
        list(found)


def test_executors_who_do_not_see_the_export_are_told_of(spark: object, exchange: Exchange) -> None:
    exchange.put("pairs/0.parquet", pa.table({"user": [1]}))
    pairs = spark.read.parquet(exchange.uri("pairs"))
    next(Path(exchange.uri("pairs")).glob("*.parquet")).unlink()
    with pytest.raises(SparkFailed, match="--exchange must be one folder"), explained("local[2]"):
        pairs.collect()


def test_a_folder_that_cannot_be_written_is_named(spark: object, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with (
        pytest.raises(SparkFailed, match=r"^Spark failed on local\[2\]: .*file.*$"),
        explained("local[2]"),
        Exchange(spark, str(tmp_path / "file/exchange")),
    ):
        pass


def test_executors_without_the_packages_are_told_of(
    spark: object, exchange: Exchange, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Debian's own Python, which has none.
    monkeypatch.setattr(spark.sparkContext, "pythonExec", "/usr/bin/python3")
    with (
        pytest.raises(SparkFailed, match=r"^the executors' Python has no \w+: give them"),
        explained("local[2]"),
    ):
        try_out(spark, exchange)


# ---------------------------------------------------------------------- the command


def command(dsn: str, *options: str) -> tuple[str | Path, ...]:
    return (REPOSITORY / "bin/pgfeed", "train", "--engine", "spark", "--dsn", dsn, *options)


def documented(name: str, **places: str) -> list[str]:
    """A command of the page, with other places in it."""
    (code,) = re.findall(rf"^```sh run-by: \S+ {name}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    code = re.sub(r"--dsn '[^']*'", f"--dsn '{places['dsn']}'", code)
    code = code.replace("spark://spark-master:7077", places.get("master", ""))
    code = code.replace("/mnt/shared/pgfeed", places.get("exchange", ""))
    return ["bash", "-c", code.replace("bin/pgfeed", f"exec {REPOSITORY}/bin/pgfeed")]


def test_a_world_trained_on_a_cluster_is_in_a_feed(
    world: psycopg.Connection, instance: Instance, scratch_name: str, cluster: str, tmp_path: Path
) -> None:
    dsn = instance.dsn(scratch_name, user="feed_worker")
    environment = clean_environment(
        PGFEED_HOME=str(instance.home), SPARK_LOCAL_IP="127.0.0.1", PYSPARK_PYTHON=sys.executable
    )
    words = documented("cluster", dsn=dsn, master=cluster, exchange=str(tmp_path))
    done = run(*words, env=environment)
    assert f"model {current_model(world)} of {USERS} users" in done.stdout
    assert list(tmp_path.iterdir()) == []
    finished = "select count(*) from jobs.runs where finished_at is not null and rows > 0"
    assert one(world, finished) == 1
    collaborative = """
        select count(*) from api.get_feed(%s)
        where (components -> 'collaborative' ->> 'value')::float8 > 0
    """
    (user,) = world.execute("select user_uid from feed.users where user_no = 7").fetchone()
    assert one(world, collaborative, user) > 0


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A standalone master with one worker, from pyspark's own jars; the master's address."""
    import pyspark

    folder = tmp_path_factory.mktemp("cluster")
    program = Path(pyspark.__file__).parent / "bin/spark-class"
    environment = clean_environment(SPARK_LOCAL_IP="127.0.0.1", SPARK_WORKER_DIR=str(folder))
    processes: list[subprocess.Popen] = []

    def start(name: str, *options: str) -> Path:
        log = folder / f"{name}.log"
        words = (program, f"org.apache.spark.deploy.{name}", "--host", "127.0.0.1")
        with log.open("w") as output:
            process = subprocess.Popen(
                [*words, "--webui-port", "0", *options],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        processes.append(process)
        return log

    def said(log: Path, pattern: str) -> str:
        wait_until(lambda: re.search(pattern, log.read_text()), 120)
        return re.search(pattern, log.read_text())[1]

    try:
        master = said(start("master.Master", "--port", "0"), r"Starting Spark master at (\S+)")
        worker = start("worker.Worker", "--cores", "2", "--memory", "1g", master)
        said(worker, r"Successfully registered with master (\S+)")
        yield master
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(timeout=60)


def test_a_killed_driver_leaves_the_former_model(
    world: psycopg.Connection,
    clock: str,
    instance: Instance,
    scratch_name: str,
    spark: object,
    tmp_path: Path,
) -> None:
    world.execute("call ml.train('now', null, null)")
    former, before = current_model(world), model_rows(world)
    dsn = instance.dsn(scratch_name, user="feed_worker")
    environment = clean_environment(PGFEED_HOME=str(instance.home), TMPDIR=str(tmp_path))
    driver = subprocess.Popen(
        documented("local", dsn=dsn),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def exported() -> list[Path]:
        assert driver.poll() is None
        return list(tmp_path.glob("pgfeed-train-*/pairs/*.parquet"))

    try:
        wait_until(exported, 120)
        java = children(driver.pid)
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    assert current_model(world) == former
    assert model_rows(world) == before
    # Whatever it had begun is not in force, and Java goes with its driver.
    assert one(world, "select count(*) from ml.models") == 2
    wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in java))
    # The next training finds what it left, and removes it.
    folder = folder_for(str(tmp_path), dsn)
    assert Path(folder).exists()
    with Exchange(spark, folder):
        assert list(Path(folder).iterdir()) == []
    assert not Path(folder).exists()
    world.execute("call jobs.train_models()")
    assert one(world, "select count(*) from ml.models") == 1
    assert current_model(world) > former


def children(pid: int) -> list[int]:
    return [int(word) for word in run("ps", "-o", "pid=", "--ppid", str(pid)).stdout.split()]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--master", "spark://127.0.0.1:9", "--exchange", "/tmp"), "no Spark master answers at"),
        (("--master", "spark://127.0.0.1:9"), "no Spark master answers at"),
        (("--master", "yarn"), "share: say --exchange"),
    ],
)
def test_what_spark_lacks_is_said_in_one_line(
    world: psycopg.Connection,
    instance: Instance,
    scratch_name: str,
    options: tuple[str, ...],
    says: str,
) -> None:
    environment = clean_environment(PGFEED_HOME=str(instance.home))
    done = run(*command(instance.dsn(scratch_name), *options), env=environment, check=False)
    assert_one_line(done, says)
    assert one(world, "select count(*) from jobs.runs") == 0


def assert_one_line(done: subprocess.CompletedProcess, says: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(rf"Error: .*{re.escape(says)}.*\n", done.stderr), done.stderr


def test_java_that_is_not_there_is_asked_for(instance: Instance) -> None:
    environment = clean_environment(PGFEED_HOME=str(instance.home), JAVA_HOME="/nonexistent")
    done = run(*command(instance.dsn()), env=environment, check=False)
    assert_one_line(done, "Spark needs Java 17")


def test_pyspark_that_is_not_there_is_asked_for(instance: Instance, tmp_path: Path) -> None:
    # The same packages, without pyspark.
    (packages,) = (path for path in sys.path if path.endswith("site-packages"))
    for entry in Path(packages).iterdir():
        if entry.name != "pyspark":
            (tmp_path / entry.name).symlink_to(entry)
    words = ("-S", "-m", "pgfeed", "train", "--engine", "spark", "--dsn", instance.dsn())
    environment = clean_environment(PYTHONPATH=f"{REPOSITORY / 'python'}:{tmp_path}")
    done = run(sys.executable, *words, env=environment, check=False)
    assert_one_line(done, "needs pyspark: run bin/install --spark")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--engine", "spark"), "say --dsn"),
        (("--engine", "spark", "--dsn", "dbname=x", "--update"), "no --update"),
        (("--dsn", "dbname=x", "--exchange", "/tmp"), "are for --engine spark"),
        (("--engine", "spark", "--dsn", "dbname=x", "--conf", "spark"), "a setting is name=value"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    instance: Instance, options: tuple[str, ...], says: str
) -> None:
    environment = clean_environment(PGFEED_HOME=str(instance.home))
    done = run(REPOSITORY / "bin/pgfeed", "train", *options, env=environment, check=False)
    assert done.returncode == 2
    assert says in done.stderr
