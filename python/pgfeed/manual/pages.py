"""The pages of the documents and the fenced blocks in them.

What stands after a block's language says what becomes of it:

    ```sh                                  it runs
    ```sql owner                           it runs as the database's owner, not as the reader
    ```sh no-run: why                      it does not, and that is why
    ```sh run-by: tests/py/test_x.py       that test runs it
    ```text output                         no code: what it is
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

# What can be run.
CODE = ("sh", "sql", "js", "python")
# What cannot; a label says what it is, but for drawings.
NO_CODE = ("json", "text", "mermaid")


@dataclass(frozen=True)
class Block:
    """A fenced block; label is what follows its language, line is that of the fence."""

    page: str
    line: int
    language: str
    label: str
    code: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def fate(self) -> str:
        """run, run-by, no-run or no code."""
        for fate in ("no-run", "run-by"):
            if self.label.startswith(f"{fate}:"):
                return fate
        return "run" if self.language in CODE else "no code"

    @property
    def reason(self) -> str:
        """What stands after no-run: or run-by:."""
        return self.label.partition(":")[2].strip()


def pages(repository: Path) -> list[Path]:
    """Every page that is for reading."""
    return sorted([repository / "README.md", *(repository / "docs").rglob("*.md")])


def blocks(page: Path, repository: Path) -> list[Block]:
    """The fenced blocks of a page, in order; an indented one has no language."""
    found = []
    for token in MarkdownIt("commonmark").parse(page.read_text()):
        if token.type not in ("fence", "code_block"):
            continue
        language, _, label = token.info.strip().partition(" ")
        found.append(
            Block(
                page=str(page.relative_to(repository)),
                line=token.map[0] + 1,
                language=language,
                label=label.strip(),
                code=token.content,
            )
        )
    return found


def all_blocks(repository: Path) -> list[Block]:
    """The blocks of every page."""
    return [block for page in pages(repository) for block in blocks(page, repository)]


def summary(found: list[Block]) -> str:
    """How many blocks there are, and what becomes of them."""
    fates = Counter(block.fate for block in found)
    languages = Counter(block.language for block in found if block.fate == "run")
    run = ", ".join(f"{count} {language}" for language, count in sorted(languages.items()))
    return (
        f"documents: {len(found)} blocks on {len({block.page for block in found})} pages:"
        f" {fates['run']} run by their test ({run}), {fates['run-by']} by other tests,"
        f" {fates['no-run']} not run, {fates['no code']} no code"
    )
