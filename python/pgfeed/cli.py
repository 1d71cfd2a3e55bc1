"""The command line: each command is the click command in pgfeed/commands/<name>.py.

Modules are imported only when their command is asked for, so that `pgfeed token` need not wait
for scikit-learn.
"""

import pkgutil
import sys
from importlib import import_module

import click

import pgfeed.commands


class LazyCommands(click.Group):
    """A group whose commands are the modules of pgfeed.commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = (module.name for module in pkgutil.iter_modules(pgfeed.commands.__path__))
        return sorted(name.replace("_", "-") for name in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        name = cmd_name.replace("-", "_")
        module = import_module(f"pgfeed.commands.{name}")
        return getattr(module, name)


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """pgfeed: a personalised listing feed that lives in PostgreSQL."""


def main() -> None:
    """Runs the command line; what goes wrong is said in one line."""
    try:
        cli(prog_name="pgfeed")
    except KeyboardInterrupt:
        sys.exit(130)
    except ConnectionError as error:
        sys.exit(f"pgfeed: {error}")
