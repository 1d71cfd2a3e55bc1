"""pgfeed train: the jobs that compute, now; or the training from outside."""

import json
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import click
import psycopg

from pgfeed.progress import Stages

RANKING_JOBS = ("train_models", "refresh_engagement", "refresh_trending")
JOBS = (*RANKING_JOBS, "refresh_analytics")
UPDATE = "update_models"

# How long a run that is under way, pg_cron's perhaps, is waited for.
WAIT_SECONDS = 1800.0
POLL_SECONDS = 0.5

LATEST_RUN = """
select
    r.run_id,
    r.finished_at is not null as is_done,
    r.rows,
    extract(epoch from r.finished_at - r.started_at)::double precision as seconds
from jobs.runs as r
where r.job = %s
order by r.run_id desc
limit 1
"""


class AlreadyRunning(click.ClickException):
    """Somebody else, or pg_cron, is at the same job."""

    def __init__(self, job: str) -> None:
        super().__init__(f"job {job} is already running; see the view jobs.run_states")


def latest_run(connection: psycopg.Connection, job: str) -> tuple[Any, ...]:
    """run_id, is_done, rows and seconds of the job's newest run; run_id 0 if there is none."""
    return connection.execute(LATEST_RUN, (job,)).fetchone() or (0, False, 0, 0.0)


def run_job(connection: psycopg.Connection, job: str) -> tuple[int, float]:
    """Runs one job in the server; returns the rows it wrote and the seconds it took."""
    before, *_ = latest_run(connection, job)
    connection.execute(f"call jobs.{job}()")
    run_id, is_done, rows, seconds = latest_run(connection, job)
    if run_id == before or not is_done:
        raise AlreadyRunning(job)
    return rows, seconds


def run_job_when_free(
    connection: psycopg.Connection, job: str, stages: Stages, wait_seconds: float = WAIT_SECONDS
) -> tuple[int, float]:
    """run_job, after the run that is under way: that one may not have seen what came last."""
    give_up_at = time.monotonic() + wait_seconds
    is_told = False
    while True:
        try:
            return run_job(connection, job)
        except AlreadyRunning:
            if time.monotonic() > give_up_at:
                raise
        if not is_told:
            stages.note(f"waiting for the {job} that is under way")
            is_told = True
        time.sleep(POLL_SECONDS)


def train_inside(stages: Stages, jobs: tuple[str, ...]) -> None:
    """The jobs, one after the other, in the server."""
    with psycopg.connect(autocommit=True, application_name="pgfeed train") as connection:
        for job in jobs:
            with stages.stage(job):
                rows, seconds = run_job_when_free(connection, job, stages)
            click.echo(f"train: {job} wrote {rows:,} rows in {seconds:.1f} s")


def run_outside(dsn: str, job: str, work: Callable[..., Any], stages: Stages) -> Any:
    """A training or an update in this process, entered in jobs.runs like one in the server."""
    from pgfeed.database import row
    from pgfeed.outside import OutsideDatabase

    database = OutsideDatabase.connect(dsn)
    with database.connection:
        run_id = row(database, "select jobs.begin_run($1::text) as run_id", job)["run_id"]
        database.commit()
        if run_id is None:
            raise AlreadyRunning(job)
        done = work(database, "now", stages)
        database.run(
            "select jobs.end_run($1::bigint, $2::bigint, $3::text::jsonb)",
            run_id,
            done.rows,
            json.dumps(done.details),
        )
    return done


def train_outside(dsn: str, stages: Stages) -> None:
    """The training in this process."""
    from pgfeed.training import train as train_model

    tell(run_outside(dsn, JOBS[0], train_model, stages), stages)


def train_on_spark(
    dsn: str, master: str, exchange: str | None, settings: dict[str, str], stages: Stages
) -> None:
    """The training in this process, all but the similarity of users, which Spark computes."""
    from pgfeed.spark.session import SparkFailed, check, explained, is_local, session
    from pgfeed.training import train as train_model

    # What stops a service; without this nobody would clear away after it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    try:
        check(master)
        if exchange is None and not is_local(master):
            raise SparkFailed(
                f"the executors of {master} need a folder that they and this machine share:"
                " say --exchange"
            )
        # Only now: it needs what check has found.
        from pgfeed.spark.exchange import Exchange, folder_for
        from pgfeed.spark.similarity import SparkSimilarity, try_out

        with explained(master), ExitStack() as started:
            with stages.stage("start Spark"):
                spark = started.enter_context(session(master, settings))

            # As a run, of which there is one at a time: the folder is its own.
            def work(database: Any, as_of: str, stages: Stages) -> Any:
                with Exchange(spark, folder_for(exchange, dsn)) as folder:
                    with stages.stage("try Spark out"):
                        try_out(spark, folder)
                    return train_model(database, as_of, stages, SparkSimilarity(spark, folder))

            tell(run_outside(dsn, JOBS[0], work, stages), stages)
    except (SparkFailed, OSError) as error:
        raise click.ClickException(str(error)) from None


def tell(trained: Any, stages: Stages) -> None:
    """What a training outside has done."""
    click.echo(
        f"train: model {trained.model_id} of {trained.details['users']:,} users and"
        f" {trained.details['listings']:,} listings in {sum(stages.seconds.values()):.1f} s"
    )


def update_outside(dsn: str, stages: Stages) -> None:
    """The update in this process."""
    from pgfeed.updating import update as update_model

    updated = run_outside(dsn, UPDATE, update_model, stages)
    click.echo(f"train: {updated.rows:,} users updated in {sum(stages.seconds.values()):.1f} s")


def has_python(dsn: str) -> bool:
    """Is there a training in the server, or is its engine plain SQL?"""
    with psycopg.connect(dsn, application_name="pgfeed train") as connection:
        return connection.execute("select to_regproc('jobs.train_models') is not null").fetchone()[
            0
        ]


@click.command()
@click.option("--dsn", default="", help="Train in this process, on the database of this DSN.")
@click.option("--update", is_flag=True, help="Only users whom the model does not know yet.")
@click.option(
    "--engine",
    type=click.Choice(("local", "spark")),
    default="local",
    show_default=True,
    help="What multiplies users with users; spark needs --dsn, pyspark and Java 17.",
)
@click.option("--master", default="local[*]", show_default=True, help="Spark's master.")
@click.option(
    "--exchange",
    help="A folder or URI that this machine and all executors share; needed beyond local[…].",
)
@click.option("--conf", "settings", multiple=True, help="A setting of Spark, name=value.")
def train(
    dsn: str,
    update: bool,
    engine: str,
    master: str,
    exchange: str | None,
    settings: tuple[str, ...],
) -> None:
    """Run the training and the refreshing jobs now, in the server.

    With --dsn only the training, in this process: for a server without Python, and to spare
    the server's processors. With --update only jobs.update_models, here or there. The PG…
    variables name the database otherwise. When it fails or is stopped, the former model
    stays in force.

    With --engine spark the similarity of users is computed by Spark: see docs/dba/spark.md.
    """
    stages = Stages("train")
    is_on_spark = engine == "spark"
    if is_on_spark and (update or not dsn):
        raise click.UsageError("--engine spark trains outside the server: say --dsn, no --update")
    if not is_on_spark and (exchange or settings):
        raise click.UsageError("--exchange and --conf are for --engine spark")
    if unclear := [setting for setting in settings if "=" not in setting]:
        raise click.UsageError(f"--conf {unclear[0]}: a setting is name=value")
    try:
        if is_on_spark:
            pairs = dict(setting.split("=", 1) for setting in settings)
            train_on_spark(dsn, master, exchange, pairs, stages)
        elif dsn or not has_python(dsn):
            (update_outside if update else train_outside)(dsn, stages)
            if not dsn and not update:
                train_inside(stages, JOBS[1:])
        else:
            train_inside(stages, (UPDATE,) if update else JOBS)
    except (psycopg.Error, TimeoutError) as error:
        raise click.ClickException(str(error).strip()) from None
