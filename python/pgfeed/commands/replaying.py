"""Options of the commands that replay the past."""

from collections.abc import Callable
from pathlib import Path

import click

OPTIONS = (
    click.option("--trials", type=click.IntRange(1), default=20, show_default=True),
    click.option("--seeds", type=click.IntRange(1), default=3, show_default=True),
    click.option(
        "--step",
        "step_days",
        type=click.FloatRange(min=1 / 24),
        metavar="DAYS",
        help="Between two cut-offs; without it a week, or what gives 6 to 40 of them.",
    ),
    click.option(
        "--askers", type=click.IntRange(1), help="Ask at most so many users at a cut-off."
    ),
    click.option("--sessions", type=click.IntRange(1, 64), default=2, show_default=True),
    click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        help="An instance that runs, for the scratch databases; otherwise one of the command's"
        " own.",
    ),
    click.option(
        "--reuse",
        is_flag=True,
        help="Take the answers of the last run of the same data: only models have changed.",
    ),
)


def replay_options(command: Callable) -> Callable:
    """trials, seeds, step_days, askers, sessions, home, reuse."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
