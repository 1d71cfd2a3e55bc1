"""The similarity of users as jobs of Spark: out by Parquet, three stages, back by Parquet."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pgfeed.similarity import Neighbors
from pgfeed.spark import stages as work
from pgfeed.spark.exchange import Exchange
from pgfeed.spark.planning import Pairs, Plan, SimilarityParameters, make_plan
from pgfeed.spark.session import SparkFailed

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pgfeed.database import Database
    from pgfeed.training import Advance, Stages, World

# About a second of a processor, and at most 320 MB of pairs.
PRODUCTS_PER_BLOCK = 20_000_000
# So that none waits long for the last.
BLOCKS_A_PROCESSOR = 3
PAIRS_PER_FILE = 1 << 22
POLL_SECONDS = 0.5
# Until executors have started, Python and all.
EXECUTORS_SECONDS = 300.0


def try_out(spark: SparkSession, exchange: Exchange) -> None:
    """Raises SparkFailed unless executors come, have the packages, and see the exchange folder."""
    table = pa.Table.from_arrays(
        [pa.array([0], field.type) for field in work.PAIRS], schema=work.PAIRS
    )
    with _no_longer_than(EXECUTORS_SECONDS, spark):
        exchange.put("tried/pairs.parquet", table)
        answer = spark.read.parquet(exchange.uri("tried/pairs.parquet")).mapInArrow(
            work.try_out, work.ddl(work.TRIED)
        )
        answer.write.parquet(exchange.uri("tried/found"))
        read = spark.read.schema(work.ddl(work.TRIED)).parquet(exchange.uri("tried/found"))
        count = len(read.collect())
    if count != 1:
        raise _not_shared(exchange)


@contextmanager
def _no_longer_than(seconds: float, spark: SparkSession) -> Iterator[None]:
    """Spark waits for executors for ever."""
    is_late = threading.Event()

    def stop() -> None:
        is_late.set()
        spark.sparkContext.cancelAllJobs()

    timer = threading.Timer(seconds, stop)
    timer.start()
    try:
        yield
    except Exception as error:
        if is_late.is_set():
            raise SparkFailed(
                f"no executor of {spark.sparkContext.master} did anything in {seconds:.0f} s: are"
                " there workers with free cores and enough memory (spark.executor.memory)?"
            ) from error
        raise
    finally:
        timer.cancel()


def _not_shared(exchange: Exchange) -> SparkFailed:
    return SparkFailed(
        f"what executors write into {exchange.folder} does not arrive: --exchange must be one"
        " folder for this machine and all executors"
    )


def nearest_users(
    spark: SparkSession,
    exchange: Exchange,
    pairs: Pairs,
    parameters: SimilarityParameters,
    stages: Stages,
    products_per_block: int = PRODUCTS_PER_BLOCK,
    blocks_a_processor: int = BLOCKS_A_PROCESSOR,
) -> Iterator[tuple[np.ndarray, Neighbors]]:
    """Blocks of users (rows, ascending) and their neighbors, as pgfeed.similarity finds them.

    Everything is computed when this returns; the iterator only reads it.
    """
    least = blocks_a_processor * spark.sparkContext.defaultParallelism
    with stages.stage("export", len(pairs.users)) as advance:
        plan = make_plan(pairs, parameters, products_per_block, least)
        blocks = _export(exchange, plan, advance)
    with stages.stage("similarity", 1) as advance, _progress(spark, advance):
        if blocks:
            _compute(spark, exchange, plan)
    return _read(spark, exchange, blocks)


class SparkSimilarity:
    """pgfeed.training.Similarity, on a session that runs."""

    def __init__(self, spark: SparkSession, exchange: Exchange) -> None:
        self.spark = spark
        self.exchange = exchange

    def __call__(
        self, database: Database, world: World, stages: Stages
    ) -> Iterator[tuple[np.ndarray, Neighbors]]:
        histories, facts, settings = world.histories, world.facts, world.settings
        pairs = Pairs(
            histories.users,
            histories.listings,
            histories.interest,
            facts.latitudes,
            facts.longitudes,
            len(world.user_nos),
        )
        parameters = SimilarityParameters(
            **{field.name: getattr(settings, field.name) for field in fields(SimilarityParameters)}
        )
        return nearest_users(self.spark, self.exchange, pairs, parameters, stages)


def _export(exchange: Exchange, plan: Plan, advance: Advance) -> set[int]:
    """Writes the pairs in files; returns the blocks that have any."""
    blocks: set[int] = set()
    for number, columns in enumerate(plan.pieces(PAIRS_PER_FILE)):
        if len(columns[0]):
            table = pa.Table.from_arrays([pa.array(c) for c in columns], schema=work.PAIRS)
            exchange.put(f"pairs/{number:06}.parquet", table)
            blocks.update(np.unique(columns[2]).tolist())
        advance(PAIRS_PER_FILE)
    return blocks


def _compute(spark: SparkSession, exchange: Exchange, plan: Plan) -> None:
    parameters = plan.parameters
    spark.conf.set("spark.sql.shuffle.partitions", max(plan.block_count, plan.share_count))
    found = (
        spark.read.parquet(exchange.uri("pairs"))
        .mapInArrow(work.share_out(plan.share_count), work.ddl(work.SHARES))
        .groupBy("share")
        .applyInArrow(work.columns_of(plan.share_count), work.ddl(work.COLUMNS))
        .groupBy("block")
        .applyInArrow(
            work.neighbors_of(parameters.neighbor_count, parameters.products_per_step),
            work.ddl(work.FOUND),
        )
    )
    found.write.parquet(exchange.uri("found"))


def _read(
    spark: SparkSession, exchange: Exchange, blocks: set[int]
) -> Iterator[tuple[np.ndarray, Neighbors]]:
    if not blocks:
        return
    missing = set(blocks)
    for row in (
        spark.read.schema(work.ddl(work.FOUND)).parquet(exchange.uri("found")).toLocalIterator()
    ):
        missing.remove(row.block)
        users, counts, rows, similarities = (
            np.frombuffer(row[name], work.FOUND[name])
            for name in ("users", "counts", "rows", "similarities")
        )
        yield users, Neighbors(np.concatenate([[0], np.cumsum(counts)]), rows, similarities)
    if missing:
        raise _not_shared(exchange)


@contextmanager
def _progress(spark: SparkSession, advance: Advance) -> Iterator[None]:
    """Moves a bar of length 1 by the share of the tasks that are done."""
    tracker = spark.sparkContext.statusTracker()
    over = threading.Event()

    def watch() -> None:
        shown = 0.0
        while not over.wait(POLL_SECONDS):
            jobs = [tracker.getJobInfo(job) for job in tracker.getActiveJobsIds()]
            numbers = [stage for job in jobs if job for stage in job.stageIds]
            found = [tracker.getStageInfo(number) for number in numbers]
            done = [one.numCompletedTasks / max(1, one.numTasks) for one in found if one]
            share = sum(done) / max(1, len(numbers))
            if share > shown:
                advance(share - shown)
                shown = share

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
