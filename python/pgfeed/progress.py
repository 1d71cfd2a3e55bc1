"""Progress of long commands: bars on a terminal, one plain line a stage elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

Advance = Callable[[float], None]


class Stages:
    """Stages of one command, reported on standard error, and how long each took."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._console = Console(stderr=True)
        self.seconds: dict[str, float] = {}

    def note(self, text: str) -> None:
        """A line of its own."""
        print(f"{self._command}: {text}", file=sys.stderr, flush=True)

    @contextmanager
    def stage(self, name: str, total: float | None = None) -> Iterator[Advance]:
        """One stage. Yields a function that moves its bar by so much of `total`."""
        started = time.monotonic()
        if self._console.is_terminal:
            with Progress(
                TextColumn(f"{self._command}: {{task.description}}"),
                BarColumn(),
                TaskProgressColumn(),
                TimeElapsedColumn(),
                console=self._console,
            ) as progress:
                task = progress.add_task(name, total=total)
                yield lambda amount: progress.advance(task, amount)
                progress.update(task, total=1, completed=1)
        else:
            yield lambda amount: None
        took = time.monotonic() - started
        self.seconds[name] = self.seconds.get(name, 0) + took
        if not self._console.is_terminal:
            self.note(f"{name} ({took:.1f} s)")
