"""pgfeed fit: a ranking profile learned from what users did, and judged on what they did later."""

import json
import os
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psycopg

from pgfeed.commands.replaying import replay_options
from pgfeed.progress import Stages
from pgfeed.signals import terminated_like_interrupted
from pgfeed.staging import LoadRefused


@click.command()
@click.option("--profile", help="Its name; without it learned_ and today's date.")
@click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Learn from FOLDER (the CSV layout) in place of the database.",
)
@replay_options
@click.option("--dry-run", is_flag=True, help="Learn and judge, and write nothing.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object in place of tables.")
def fit(
    profile: str | None,
    folder: Path | None,
    askers: int | None,
    trials: int,
    seeds: int,
    step_days: float | None,
    sessions: int,
    home: Path | None,
    reuse: bool,
    dry_run: bool,
    is_json: bool,
) -> None:
    """Learn the weights of a ranking profile, its half-life and its decay distance.

    What the database of the PG… variables logged is replayed: at rolling cut-offs only what was
    known then is loaded into a scratch database on an instance of the command's own, the jobs
    run, the feed is asked. On the earlier cut-offs a profile is learned, on the later ones it is
    judged against default. It is written as a new row of feed.ranking_profiles with that
    evaluation, and offered only if it won by more than the interval.
    docs/analysts/learned-profiles.md says how.
    """
    # Before numpy is imported, as in pgfeed evaluate.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    from pgfeed.bench.server import Server
    from pgfeed.evaluation.cutoffs import TooLittle
    from pgfeed.evaluation.product import FeedDiffers
    from pgfeed.evaluation.run import Options
    from pgfeed.fit import profile as profiles
    from pgfeed.fit.fitting import fit_profile
    from pgfeed.fit.report import show
    from pgfeed.fit.weights import Unlearnable

    stages = Stages("fit")
    name = profile or f"learned_{datetime.now(UTC):%Y%m%d}"
    own = Path(os.environ["PGFEED_HOME"]) / "evaluate"
    server = Server(Path(os.environ["PGFEED_REPOSITORY"]), home or own)
    options = Options(trials, seeds, step_days, askers, (), sessions, reuse)
    if home and not (home / "env").exists():
        raise click.ClickException(f"there is no instance in {home}: start one there, or none")
    try:
        with terminated_like_interrupted():
            if not dry_run:
                with _connected() as connection:
                    profiles.check(connection, name)
            data, cutoffs, asked = _replay(folder, server, home is None, options, stages)
            found = fit_profile(data, cutoffs, asked, trials, seeds, stages)
            if not dry_run:
                with _connected() as connection:
                    profiles.write(
                        connection, name, found.profile, found.evaluation, found.is_offered
                    )
    except KeyboardInterrupt:
        stages.note("interrupted; nothing was written")
        raise SystemExit(130) from None
    except subprocess.CalledProcessError:
        raise click.ClickException(
            f"the instance for scratch databases, {server.home}, did not start (see above)."
            "\nNothing was written."
        ) from None
    except (LoadRefused, TooLittle, Unlearnable, profiles.Unwritable) as error:
        raise click.ClickException(f"{error}\nNothing was written.") from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise click.ClickException(
            f"{str(error).strip()}\nFitting reads the log as its owner does, and makes scratch"
            " databases. Nothing was written."
        ) from None
    except (FeedDiffers, psycopg.Error) as error:
        raise click.ClickException(f"{str(error).strip()}\nNothing was written.") from None
    if is_json:
        click.echo(json.dumps({"profile": name, "written": not dry_run} | found.evaluation))
    else:
        show(found, name, is_written=not dry_run)


def _replay(
    folder: Path | None, server: Any, is_own: bool, options: Any, stages: Stages
) -> tuple[Any, Any, Any]:
    """The data, its cut-offs and the answers: of a folder, or of the database."""
    from pgfeed.evaluation import data
    from pgfeed.evaluation.run import replay
    from pgfeed.fit import world

    if folder:
        read = data.read(folder, stages)
        return read, *replay(server, is_own, read, options, stages)
    with tempfile.TemporaryDirectory(prefix="pgfeed-fit-") as parent, _connected() as connection:
        exported = Path(parent) / connection.info.dbname
        exported.mkdir()
        choices = world.export(connection, exported, stages)
        connection.close()
        read = data.read(exported, stages)

    def prepare(scratch: psycopg.Connection) -> None:
        world.choose(scratch, choices)

    text = json.dumps(choices, sort_keys=True)
    return read, *replay(server, is_own, read, options, stages, prepare, text)


def _connected() -> psycopg.Connection:
    return psycopg.connect(autocommit=True, application_name="pgfeed fit")
