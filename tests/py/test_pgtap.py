"""Every pgTAP file, each in a transaction of its own in a database that only they use."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import REPOSITORY, Instance, run

FOLDER = REPOSITORY / "tests/pgtap"
FILES = sorted(
    path.relative_to(FOLDER)
    for path in FOLDER.rglob("*.sql")
    if path.relative_to(FOLDER).parts[0] != "helpers"
)


@pytest.fixture(scope="module")
def pgtap_database(instance: Instance, template: str) -> Iterator[str]:
    with instance.scratch_database(template) as name:
        yield name


@pytest.mark.parametrize("path", FILES, ids=str)
def test_pgtap(path: Path, instance: Instance, pgtap_database: str) -> None:
    environment = instance.environment | {
        "PGDATABASE": pgtap_database,
        "PGOPTIONS": "-c search_path=tests,ext,pg_catalog -c client_min_messages=warning",
    }
    command = ("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", FOLDER / path)
    done = run(*command, env=environment, check=False)
    problem = what_is_wrong(done.stdout) if done.returncode == 0 else f"exit {done.returncode}"
    assert problem is None, f"{problem}\n{done.stdout}{done.stderr}"


def what_is_wrong(tap: str) -> str | None:
    """What pg_prove would find, which takes as long to start as most files take to run."""
    plans = re.findall(r"^1\.\.(\d+)$", tap, re.MULTILINE)
    results = re.findall(r"^(ok|not ok) (\d+)\b", tap, re.MULTILINE)
    if len(plans) != 1 or int(plans[0]) == 0:
        return "there is not one plan with tests in it"
    if [int(number) for _, number in results] != list(range(1, int(plans[0]) + 1)):
        return f"{plans[0]} tests were planned, and others run"
    failed = [number for verdict, number in results if verdict != "ok"]
    return f"failed: {', '.join(failed)}" if failed else None


@pytest.mark.parametrize(
    "tap",
    [
        *("", "1..0\n", "ok 1\n", "1..2\nok 1\n", "1..1\nok 1\nok 2\n", "1..1\nok 2\n"),
        *("1..2\nok 1\nnot ok 2\n", "1..1\n    ok 1\n", "1..1\n1..1\nok 1\n"),
    ],
)
def test_what_does_not_pass(tap: str) -> None:
    assert what_is_wrong(tap) is not None
