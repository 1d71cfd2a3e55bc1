"""pgfeed bench: get_feed and what surrounds it, measured beside their baselines."""

import os
from pathlib import Path

import click

from pgfeed.progress import Stages

SCALES = ("tiny", "small", "medium")


@click.command()
@click.option("--scale", type=click.Choice(SCALES), default="small", show_default=True)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="An instance that has a world; its code and its schedule are left as they are."
    " Otherwise one of the bench's own, kept from run to run.",
)
@click.option("--rebuild", is_flag=True, help="Load the world anew.")
@click.option("--document", is_flag=True, help="Write the figures into docs/benchmarks.md.")
@click.option(
    "--plot",
    "is_plot",
    is_flag=True,
    help="Only the plot of latency by listings; --home is then that of the medium world.",
)
@click.option(
    "--scaling",
    "is_scaling",
    is_flag=True,
    help="Only the plot of training by users, and what leaving things out is worth.",
)
@click.option(
    "--spark",
    "is_spark",
    is_flag=True,
    help="Only the similarity of users on Spark, local[2], beside the local engine.",
)
@click.option(
    "--steps",
    "is_steps",
    is_flag=True,
    help="Only the tables and the plot of docs/dba/scaling.md, from figures that are there.",
)
@click.option(
    "--data",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="With --scaling: measure leaving out on this set, too.",
)
@click.option(
    "--only", multiple=True, help="Only these parts; some run only so. A wrong name lists them."
)
def bench(
    scale: str,
    home: Path | None,
    rebuild: bool,
    document: bool,
    is_plot: bool,
    is_scaling: bool,
    is_spark: bool,
    is_steps: bool,
    data: tuple[Path, ...],
    only: tuple[str, ...],
) -> None:
    """Measure feeds, the gateway, other statements, the fold and writing, one JSON line a figure.

    Every baseline runs in the same run, in turns with what it is compared to. Progress is on
    standard error. The first run of a scale loads its world (medium: half an hour).
    """
    # As the server has it. Before numpy is imported: the baseline's kernel is not to be helped by
    # threads that a backend does not have, nor hindered by theirs.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    from pgfeed.bench.run import measure

    repository = Path(os.environ["PGFEED_REPOSITORY"])
    homes = Path(os.environ["PGFEED_HOME"])
    stages = Stages("bench")
    if is_plot:
        from pgfeed.bench.plot import plot

        plot(repository, homes, home, stages)
        return
    if is_scaling:
        from pgfeed.bench.scaling import scaling

        scaling(repository, data, stages)
        return
    if is_spark:
        from pgfeed.bench.spark import spark

        for figure in spark(scale, "local[2]", stages):
            click.echo(figure.line())
        return
    if is_steps:
        from pgfeed.bench.steps import write

        write(repository)
        return
    figures = []
    for figure in measure(repository, homes, scale, home, rebuild, only, stages):
        figures.append(figure)
        click.echo(figure.line())
    if document:
        from pgfeed.bench.document import write_figures

        write_figures(repository, scale, figures)
