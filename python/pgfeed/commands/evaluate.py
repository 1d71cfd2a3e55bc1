"""pgfeed evaluate: how good the feed is, beside what else could rank, on data of the past."""

import os
from pathlib import Path

import click
import psycopg

from pgfeed.commands.replaying import replay_options
from pgfeed.progress import Stages
from pgfeed.signals import terminated_like_interrupted
from pgfeed.staging import LoadRefused


@click.command()
@click.argument("source", metavar="FOLDER|synth")
@replay_options
@click.option("--skip", multiple=True, metavar="BASELINE", help="Leave a slow one out.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="An .svg file.")
@click.option("--document", "is_documented", is_flag=True, help="Write docs/evaluation.md.")
def evaluate(
    source: str,
    trials: int,
    seeds: int,
    step_days: float | None,
    askers: int | None,
    skip: tuple[str, ...],
    sessions: int,
    home: Path | None,
    reuse: bool,
    plot: Path | None,
    is_documented: bool,
) -> None:
    """Judge the feed and its baselines on FOLDER (the CSV layout), one JSON line a figure.

    At rolling cut-offs only what was known then is loaded into a scratch database, the
    product's own jobs run, its own get_feed is asked, and the answers are held against what
    users applied to until the next cut-off. SOURCE `synth` is a made-up world.
    docs/evaluation.md says how, and what came of it.
    """
    # Before numpy is imported: the matrices are small, and threads that wait for one another on
    # a busy machine take many times as long as one alone.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    from pgfeed.bench.server import Server
    from pgfeed.evaluation import data, report
    from pgfeed.evaluation.cutoffs import TooLittle
    from pgfeed.evaluation.product import FeedDiffers
    from pgfeed.evaluation.run import Options
    from pgfeed.evaluation.run import evaluate as run

    repository = Path(os.environ["PGFEED_REPOSITORY"])
    stages = Stages("evaluate")
    server = Server(repository, home or Path(os.environ["PGFEED_HOME"]) / "evaluate")
    options = Options(trials, seeds, step_days, askers, skip, sessions, reuse)
    try:
        with terminated_like_interrupted():
            world = (
                data.synthetic(stages)
                if source == data.SYNTHETIC
                else data.read(Path(source), stages)
            )
            found = run(server, home is None, world, options, stages)
    except LoadRefused as refusal:
        raise click.ClickException(f"{refusal}\nNothing was evaluated.") from None
    except (TooLittle, FeedDiffers, psycopg.Error) as error:
        raise click.ClickException(str(error).strip()) from None
    for line in report.lines(found):
        click.echo(line)
    report.show(found)
    plot = plot or server.home / "evaluate" / f"{found.data}.svg"
    report.draw(found, plot)
    stages.note(f"the plot is {plot}")
    if is_documented:
        report.document(found, repository)
