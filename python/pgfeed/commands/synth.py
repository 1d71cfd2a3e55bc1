"""pgfeed synth: a synthetic world into the database."""

from pathlib import Path

import click
import psycopg

from pgfeed import staging, synth_staging
from pgfeed.commands.load import described
from pgfeed.progress import Stages
from pgfeed.staging import LoadRefused
from pgfeed.synth import SCALES, hold_out, make_world


@click.command()
@click.option("--scale", type=click.Choice(list(SCALES)), default="tiny", show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True)
@click.option(
    "--holdout",
    type=click.FloatRange(0, 80),
    metavar="DAYS",
    help="Tell the world only up to DAYS before its end; that instant becomes now.",
)
@click.option(
    "--holdout-file",
    type=click.Path(path_type=Path),
    default=Path("holdout.csv"),
    show_default=True,
    help="Where the interactions of those days go.",
)
@click.option("--dsn", default="", help="Connection string; without it the PG… variables count.")
def synth(scale: str, seed: int, holdout: float | None, holdout_file: Path, dsn: str) -> None:
    """Make a synthetic world: 90 days of users, listings and interactions, up to now.

    The same scale and seed make the same world; making it twice changes nothing. What it
    looks like is in docs/dba/synthetic-world.md.
    """
    stages = Stages("synth")
    with stages.stage(f"making a {scale} world"):
        world = make_world(scale, seed)
        held_out = None
        if holdout is not None:
            world, held_out = hold_out(world, holdout)
    try:
        with (
            psycopg.connect(dsn, autocommit=True, application_name="pgfeed synth") as connection,
            staging.only_load(connection),
        ):
            synth_staging.stage(connection, world, stages)
            with stages.stage("checking"):
                shift, _ = staging.set_shift(connection, is_shifted=True)
            counts = staging.merge(connection, stages)
    except LoadRefused as refusal:
        raise click.ClickException(f"{refusal}\nNothing was loaded.") from None
    except psycopg.Error as error:
        raise click.ClickException(f"the database failed: {error}\nNothing was loaded.") from None
    if held_out is not None:
        synth_staging.write_holdout(world, held_out, shift, holdout_file)
        click.echo(f"synth: {len(held_out):,} held-out interactions in {holdout_file}")
    click.echo(f"synth: {described(counts)} in {sum(stages.seconds.values()):.1f} s")
