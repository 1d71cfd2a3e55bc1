"""Every pgTAP file, each in a transaction of its own in a database that only they use."""

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
    command = ("pg_prove", "--ext", ".sql", "--verbose", FOLDER / path)
    done = run(*command, env=environment, check=False)
    output = done.stdout + done.stderr
    # A file that runs no test must not pass for want of a failure.
    assert done.returncode == 0 and "Result: PASS" in output, output
