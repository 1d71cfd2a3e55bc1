"""pgfeed load: a folder of CSV files into the database."""

from pathlib import Path

import click
import psycopg

from pgfeed import load as loading
from pgfeed.progress import Stages
from pgfeed.staging import LoadRefused


def described(counts: dict[str, int]) -> str:
    """What was written, in one line: "3 users, 2 listings changed"; nothing is "nothing new"."""
    parts = [f"{count:,} {name}" for name, count in counts.items() if count]
    return ", ".join(parts) or "nothing new"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--shift", is_flag=True, help="Move all times so that the newest interaction is now.")
@click.option("--dsn", default="", help="Connection string; without it the PG… variables count.")
def load(folder: Path, shift: bool, dsn: str) -> None:
    """Load users, listings and interactions from the CSV files in FOLDER.

    All or nothing: with one bad row nothing is loaded, and every bad row is named by file and
    line. Loading the same again changes nothing. The layout is in docs/dba/csv-layout.md.
    """
    stages = Stages("load")
    try:
        with psycopg.connect(dsn, autocommit=True, application_name="pgfeed load") as connection:
            counts = loading.load(connection, folder, shift, stages)
    except LoadRefused as refusal:
        raise click.ClickException(f"{refusal}\nNothing was loaded.") from None
    except psycopg.Error as error:
        raise click.ClickException(f"the database failed: {error}\nNothing was loaded.") from None
    click.echo(f"load: {described(counts)} in {sum(stages.seconds.values()):.1f} s")
