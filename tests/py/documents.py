"""Runs the blocks of the documents as their readers would, one after the other."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from harness import REPOSITORY
from pgfeed.manual.pages import Block, blocks, pages

PAGES = pages(REPOSITORY)

# A reader would see an error by reading; here it must end the block.
PRELUDE = """\
curl() { command curl --fail-with-body --silent --show-error --noproxy '*' "$@"; }
"""
# What the next block of the page finds: all variables, but those that bash makes itself.
FAREWELL = r"""
declare -p | grep -vE '^declare -[a-zA-Z]*[rA]|^declare -[^ ]+ (_|BASH[A-Z_]*|PIPESTATUS)\b' \
    >"$DOCUMENT_STATE"
"""


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def page_blocks(page: Path) -> list[Block]:
    return blocks(page, REPOSITORY if page.is_relative_to(REPOSITORY) else page.parent)


class Drift(AssertionError):
    """A block that does not do what its page says."""


def drift(block: Block, problem: str) -> Drift:
    return Drift(f"{block.where}: {problem}\n{block.code}")


def last_json(text: str) -> object:
    """The last JSON value among those printed one after the other."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while match := re.compile(r"[\[{]").search(text, at):
        value, at = decoder.raw_decode(text, match.start())
        found.append(value)
    return found[-1]


def differs(said: object, found: object, by_shape: bool, path: str = "answer") -> str:
    """What of an answer is not as documented; "" if nothing. … stands for anything."""
    if isinstance(said, dict) and isinstance(found, dict):
        if by_shape and not said:
            return ""
        if said.keys() != found.keys():
            return f"{path} has {sorted(found)}, documented are {sorted(said)}"
        pairs = [(f"{path}.{key}", said[key], found[key]) for key in said]
    elif isinstance(said, list) and isinstance(found, list):
        # An example of a row stands for rows, an example of a word for words.
        if by_shape and (not said or not isinstance(said[0], dict | list)):
            return ""
        if len(said) != len(found):
            return f"{path} has {len(found)} elements, documented are {len(said)}"
        pairs = [(f"{path}[{n}]", *both) for n, both in enumerate(zip(said, found, strict=True))]
    elif by_shape:
        kinds = [
            type(value) if not isinstance(value, int | float) else float for value in (said, found)
        ]
        optional = said is None or found is None
        is_same = optional or kinds[0] is kinds[1]
        return "" if is_same else f"{path} is {found!r}, documented is {said!r}"
    elif isinstance(said, str) and isinstance(found, str):
        pattern = ".*".join(re.escape(part) for part in said.split("…"))
        is_same = re.fullmatch(pattern, found, re.DOTALL)
        return "" if is_same else f"{path} is {found!r}, documented is {said!r}"
    else:
        return "" if said == found else f"{path} is {found!r}, documented is {said!r}"
    return next((text for text in (differs(s, f, by_shape, p) for p, s, f in pairs) if text), "")


@dataclass
class Reader:
    """Somebody who goes through a page with a shell, an editor and a session of psql."""

    environment: dict[str, str]
    folder: Path
    tools: Path
    ask: Callable[[Block], list[tuple] | None]
    printed: str = ""
    done: list[Block] = field(default_factory=list)

    def read(self, page: Path) -> None:
        """Every block in order; the first that is not as it says ends it."""
        for block in page_blocks(page):
            if block.language == "json":
                self.compare(block)
            elif block.label == "prints":
                self.find_lines(block)
            elif block.fate == "run":
                self.run(block)
                self.done.append(block)

    def run(self, block: Block) -> None:
        if block.language == "sql":
            rows = self.ask(block)
            if rows is not None and not rows:
                raise drift(block, "no rows")
            return
        if block.language == "sh":
            done = self.shell(f"{PRELUDE}\n{block.code}\n{FAREWELL}")
        elif block.language == "js":
            file = self.folder / "block.mjs"
            file.write_text(block.code)
            link = self.folder / "node_modules"
            if not link.exists():
                link.symlink_to(self.tools / "node_modules")
            done = self.shell(f"node '{file}'")
        else:
            file = self.folder / "block.py"
            file.write_text(block.code)
            done = self.shell(f"'{self.tools}/venv/bin/python' '{file}'")
        self.printed = done.stdout
        if (done.returncode == 0) == (block.label == "fails"):
            raise drift(block, f"exit {done.returncode}\n{done.stdout}")

    def shell(self, script: str) -> subprocess.CompletedProcess:
        """A script with the variables that the page's earlier blocks have left."""
        state = self.folder / "state"
        before = f". '{state}' 2>/dev/null\n" if state.exists() else ""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", before + script],
            cwd=REPOSITORY,
            env=self.environment | {"DOCUMENT_STATE": str(state)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )

    def find_lines(self, block: Block) -> None:
        """Each line was printed, in this order; … stands for anything."""
        printed = iter(self.printed.splitlines())
        for line in block.code.splitlines():
            pattern = ".*".join(re.escape(part) for part in line.split("…"))
            if not any(re.fullmatch(pattern, found) for found in printed):
                raise drift(block, f"no line {line!r} where it should be in\n{self.printed}")

    def compare(self, block: Block) -> None:
        """What was printed last is as documented: to the letter, or like it in shape."""
        said = json.loads(block.code)
        if block.label in ("answer", "like"):
            problem = differs(said, last_json(self.printed), by_shape=block.label == "like")
            if problem:
                raise drift(block, f"{problem}\nprinted was {self.printed}")


def asker(
    connect: Callable[[str], psycopg.Connection], role: str, wants_rows: bool
) -> Callable[[Block], list[tuple] | None]:
    """Asks a page's SQL as its reader, or as the owner where the block says so."""

    def ask(block: Block) -> list[tuple] | None:
        with connect("postgres" if block.label.startswith("owner") else role) as connection:
            try:
                cursor = connection.execute(block.code.encode())
            except psycopg.Error as error:
                raise drift(block, str(error)) from None
            while cursor.nextset():
                pass
            if cursor.description is None or not wants_rows or "may-be-empty" in block.label:
                return None
            return cursor.fetchall()

    return ask


def environment_of_a_reader(home: Path) -> dict[str, str]:
    """The tests' own, but for what would lead elsewhere than to the instance."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "DOCUM"))}
    return kept | {"PGFEED_HOME": str(home)}
