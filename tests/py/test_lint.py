"""The style, and what a repository must not hold."""

import json
from pathlib import Path

import pytest

from harness import REPOSITORY, run


def test_sql_is_in_style(tools: Path) -> None:
    folders = [folder for folder in ("sql", "tests/pgtap") if (REPOSITORY / folder).is_dir()]
    python = tools / "venv/bin/python"
    run(python, "-m", "sqlfluff", "lint", "--processes", "2", *folders, cwd=REPOSITORY)


@pytest.mark.parametrize(
    "arguments", [("check", "--output-format=concise"), ("format", "--check")], ids=" ".join
)
def test_python_is_in_style(tools: Path, arguments: tuple[str, ...]) -> None:
    run(tools / "venv/bin/python", "-m", "ruff", *arguments, ".", cwd=REPOSITORY)


def test_shell_is_in_style(tools: Path) -> None:
    candidates = [
        *REPOSITORY.glob("bin/*"),
        *REPOSITORY.glob("deploy/docker/*"),
        *REPOSITORY.glob("tests/compose/*"),
        *(REPOSITORY / name for name in ("tests/run", ".ci/run")),
    ]
    scripts = [path for path in candidates if "bash" in path.read_text().split("\n", 1)[0]]
    sourced = [REPOSITORY / name for name in ("bin/lib.sh", "tests/compose/lib.sh")]
    run(tools / "venv/bin/shellcheck", "-x", *scripts, *sourced, cwd=REPOSITORY)


def test_lock_file_names_no_host() -> None:
    lock = REPOSITORY / "deploy/node/package-lock.json"
    assert "://" not in lock.read_text()
    assert all(
        "integrity" in package
        for path, package in json.loads(lock.read_text())["packages"].items()
        if path
    )
