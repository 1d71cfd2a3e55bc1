"""A fresh clone on this machine: make demo, twice, as whoever runs the tests and as a user."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from harness import clean_environment, run
from pgfeed.commands.feed import headings
from pgfeed.components import COMPONENTS

NOBODY = 65534


class Clone:
    """A fresh checkout, with everything that it makes in its own folder."""

    def __init__(self, folder: Path, user: int | None) -> None:
        self.folder = folder
        self.user = user

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess:
        """Runs a command as the clone's user, who as nobody has no home either."""
        environment = clean_environment()
        if self.user is not None:
            identity = (f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups")
            command = ("setpriv", *identity, *command)
            del environment["HOME"]
        return run(*command, env=environment, cwd="/", check=check)

    def make(self, *words: str, check: bool = True) -> subprocess.CompletedProcess:
        return self.run("make", "-C", str(self.folder), *words, check=check)

    def listings(self) -> int:
        psql = str(self.folder / "bin/psql")
        return int(self.run(psql, "-XAtc", "select count(*) from feed.listings").stdout)


@pytest.fixture(params=["this user", "an ordinary user"])
def clone(
    request: pytest.FixtureRequest,
    test_home: Path,
    checkout_copy: Callable[[Path], None],
) -> Iterator[Clone]:
    user = None
    if request.param == "an ordinary user":
        if os.getuid() != 0:
            pytest.skip("these tests run as an ordinary user already")
        user = NOBODY
    folder = test_home / f"clone-{user}"
    checkout_copy(folder)
    if user is not None:
        run("chown", "-R", f"{user}:{user}", folder)
    clone = Clone(folder, user)
    try:
        yield clone
    finally:
        clone.make("down", check=False)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_demo_twice(clone: Clone) -> None:
    first = clone.make("demo")
    assert "best first" in first.stdout
    assert re.search(r"Gateway +http://127\.0\.0\.1:\d+", first.stdout)
    assert len(re.findall(r"^ +\d+  \S", first.stdout, re.MULTILINE)) == 10
    page = re.search(r"Page +(http://\S+/) ", first.stdout).group(1)
    assert "<title>pgfeed</title>" in httpx.get(page, trust_env=False).text
    people = httpx.get(f"{page}demo/users.json", trust_env=False).json()
    assert [person["role"] for person in people] == ["authenticated"] * 10 + ["feed_analyst"]
    assert (clone.folder / ".pgfeed/demo/users.json").stat().st_mode & 0o777 == 0o600
    before = clone.listings()
    assert before == 2000

    second = clone.make("demo")
    assert "best first" in second.stdout
    assert "loca  tag  enga  rece  post  coll  cont  why" in second.stdout
    assert "making a small world" not in second.stderr
    assert clone.listings() == before

    doctor = clone.make("doctor")
    assert "WRONG" not in doctor.stdout


def test_a_feed_has_a_column_for_each_component_that_it_weighs() -> None:
    rows = [{"components": dict.fromkeys(COMPONENTS[:7])}]
    assert list(headings(rows)) == list(COMPONENTS[:7])
    rows.append({"components": dict.fromkeys(COMPONENTS)})
    assert list(headings(rows)) == list(COMPONENTS)
    assert len(set(headings(rows).values())) == len(COMPONENTS)
