"""pgfeed access-log: the gateway's access log into the database."""

import socket
import sys
import time
from pathlib import Path

import click
import psycopg

from pgfeed.access_log import LogReader

# A reader that finds nothing says so this often, for the doctor.
HEARTBEAT_SECONDS = 60.0

LONGEST_PAUSE_SECONDS = 60.0


def tell(text: str) -> None:
    print(f"access-log: {text}", file=sys.stderr, flush=True)


def warn_of_loss(path: Path) -> None:
    tell(
        f"{path} was rotated and its former file is not to be found beside it;"
        " what had not been read of it is not counted"
    )


def follow_log(path: Path, source: str, dsn: str, every: float) -> None:
    """Reads on until it is stopped; waits for a database that is not there."""
    pause = every
    while True:
        try:
            with psycopg.connect(
                dsn, autocommit=True, application_name="pgfeed access-log"
            ) as connection:
                reader = LogReader(connection, path, source)
                looked_at = float("-inf")
                while True:
                    if not reader.is_settled() or (
                        time.monotonic() - looked_at > HEARTBEAT_SECONDS
                    ):
                        if reader.look().is_lost:
                            warn_of_loss(path)
                        looked_at = time.monotonic()
                    pause = every
                    time.sleep(every)
        except psycopg.Error as error:
            tell(f"{str(error).strip().splitlines()[0]}; trying again in {pause:g} s")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--follow", is_flag=True, help="Go on reading what is written, until stopped.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.05),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How often --follow looks.",
)
@click.option(
    "--source",
    default=socket.gethostname,
    show_default="this machine's name",
    help="Which gateway it is: with the path it names the log, so keep it the same.",
)
@click.option("--dsn", default="", help="Connection string; without it the PG… variables count.")
def access_log(file: Path, follow: bool, every: float, source: str, dsn: str) -> None:
    """Count the requests in the gateway's access log FILE, for analytics.feed_latency.

    Reads on from where it stopped, through rotations; nothing is counted twice or left out.
    """
    path = file.absolute()
    if follow:
        follow_log(path, source, dsn, every)
    if not path.is_file():
        raise click.ClickException(f"there is no {path}")
    try:
        with psycopg.connect(
            dsn, autocommit=True, application_name="pgfeed access-log"
        ) as connection:
            progress = LogReader(connection, path, source).look()
    except psycopg.Error as error:
        raise click.ClickException(str(error).strip()) from None
    if progress.is_lost:
        warn_of_loss(path)
    click.echo(f"access-log: {progress.lines:,} requests, {progress.skipped:,} lines skipped")
