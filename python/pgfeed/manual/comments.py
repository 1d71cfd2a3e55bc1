"""What a COMMENT says, taken apart, and its words as Markdown.

A comment in the schema api is a summary, a blank line, paragraphs, and sections such as
"Arguments:" with a line "- name: text" for each of its subjects. One in analytics may end with
"Example: " and a query.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

SECTION = re.compile(r"^(Arguments|Answers|Errors)(.*):$")
ITEM = re.compile(r"^- ([^:]+): (.*)$")

# Beside JSON: schema.name, a name with an underscore, a query, a path.
CODE = re.compile(
    r"(?:api|feed|ml|jobs|analytics|ops|identity)\.\w+(?:\.\w+)*"
    r'|"?[a-z]\w*_\w+(?:\.\w+)*"?'
    r"|\?\w+=\S*\w"
    r"|/(?:api|rest)/\S*\w"
)


@dataclass
class Comment:
    """A comment by its parts; sections map what an item is about to what is said of it."""

    summary: str = ""
    paragraphs: list[str] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    sections: dict[str, dict[str, str]] = field(default_factory=dict)
    example: str = ""


def parse(text: str) -> Comment:
    """Takes a comment apart."""
    comment = Comment()
    text, _, comment.example = (part.strip() for part in text.partition("Example: "))
    comment.summary, *blocks = re.split(r"\n\s*\n", text)
    comment.summary = " ".join(comment.summary.split())
    for block in blocks:
        head, *lines = block.splitlines()
        title = SECTION.match(head)
        if title is None:
            comment.paragraphs.append(" ".join(block.split()))
            continue
        name = title[1]
        comment.titles[name] = title[0].removesuffix(":")
        items = comment.sections.setdefault(name, {})
        subject = ""
        for line in lines:
            item = ITEM.match(line)
            if item is not None:
                subject = item[1]
                items[subject] = item[2]
            elif line.startswith("  ") and subject:
                items[subject] += " " + line.strip()
            else:
                raise ValueError(f"neither an item nor its continuation: {line!r}")
    return comment


def markdown(text: str) -> str:
    """Plain words as Markdown: JSON, queries and names with an underscore are code."""
    parts = []
    at = 0
    while at < len(text):
        end = _code_end(text, at)
        if end:
            parts.append(f"`{text[at:end]}`")
            at = end
            continue
        plain = re.compile(r"`[^`]*`|\w+|.", re.DOTALL).match(text, at)
        parts.append(plain[0])
        at = plain.end()
    return "".join(parts)


def cell(text: str) -> str:
    """Plain words as a cell of a table."""
    return markdown(" ".join(text.split())).replace("|", r"\|")


def _code_end(text: str, at: int) -> int:
    """Where the code that begins here ends; 0 if none begins."""
    if text[at] in "[{" and text[at + 1 : at + 2] in ('"', "{"):
        depth = 0
        for position in range(at, len(text)):
            depth += (text[position] in "[{") - (text[position] in "]}")
            if depth == 0:
                return position + 1
        return 0
    if at and re.match(r"[\w`.]", text[at - 1]):
        return 0
    found = CODE.match(text, at)
    return found.end() if found else 0
