"""docs/clients/reference.md: every call and view of the schema api, from its COMMENT."""

from __future__ import annotations

import re
from collections.abc import Iterable

import psycopg

from pgfeed.manual import catalogue
from pgfeed.manual.catalogue import Argument, Column, Function, Relation
from pgfeed.manual.comments import Comment, cell, markdown, parse
from pgfeed.manual.gateway import Route

HEAD = """\
# Reference

Every call and view, made by `make docs` from the comments in the database, from which
`GET /rest/v1/` is made too. [gateway.md](gateway.md) has the limits that hold for all of them, and
[errors.md](errors.md) says what to do about each status.

A call takes its arguments by name: in the body as one JSON object (POST), or in the query (GET, for
calls that only read). A view takes PostgREST's
[filters, order and columns](https://docs.postgrest.org/en/v12/references/api/tables_views.html):
`?status=eq.open&order=created_at.desc&select=listing_id,title&limit=20`.
"""

# Whose token a role stands for, as this page calls them; the first that may speaks for the rest.
ASKERS = {
    "anon": "anybody",
    "authenticated": "a user",
    "service_role": "the service role",
}
METHODS = {"select": "GET", "insert": "POST", "update": "PATCH", "delete": "DELETE"}
TYPES = {"timestamp with time zone": "timestamptz", "double precision": "float8"}


def reference(connection: psycopg.Connection, routes: list[Route]) -> str:
    """The page."""
    calls = catalogue.functions(connection, "api")
    views = catalogue.relations(connection, "api")
    # What a listing's columns are is said once, at the view.
    known = {
        column.name: column.description
        for view in views
        if view.name == "listings"
        for column in view.columns
    }
    parts = [
        HEAD,
        "## Calls\n\n" + overview((call.name, call.description) for call in calls),
        *(_call(call, routes, known) for call in calls),
        "## Views\n\n" + overview((view.name, view.description) for view in views),
        *(_view(view, routes) for view in views),
    ]
    return "\n".join(parts)


def overview(described: Iterable[tuple[str, str]]) -> str:
    """A table of names, each a link to its section, with their summaries."""
    rows = [(f"[{name}](#{name})", cell(parse(text).summary)) for name, text in described]
    return table(("name", ""), rows)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table; empty without rows."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if not lines:
        return ""
    rule = "|" + "---|" * len(head)
    return "\n".join(["| " + " | ".join(head) + " |", rule, *lines]) + "\n"


def type_name(type: str) -> str:
    """The type by its usual name."""
    for long, short in TYPES.items():
        type = type.replace(long, short)
    return type.removeprefix("feed.")


def prose(comment: Comment) -> str:
    """The summary and the paragraphs."""
    return "\n\n".join([f"{markdown(comment.summary)}.", *map(markdown, comment.paragraphs)]) + "\n"


def _asked_by(callers: Iterable[str]) -> str:
    askers = [ASKERS[role] for role in callers if role in ASKERS]
    return askers[0] if "anybody" in askers else " or ".join(askers)


def _default(argument: Argument) -> str:
    if argument.default is None:
        return "required"
    plain = re.sub(r"::[\w\s\[\]]+$", "", argument.default).strip("'")
    return {"NULL": "", "{}": "`[]`"}.get(plain, f"`{plain}`")


def _call(call: Function, routes: list[Route], known: dict[str, str]) -> str:
    comment = parse(call.description)
    methods = "POST" if call.is_writing else "GET, POST"
    lines = [
        f"- `{', '.join(route.methods)} {route.path}`"
        for route in routes
        if route.target == f"rpc/{call.name}"
    ]
    lines.append(f"- `{methods} /rest/v1/rpc/{call.name}`")
    said = comment.sections.get("Arguments", {})
    arguments = [
        (f"`{a.name}`", f"`{type_name(a.type)}`", _default(a), cell(said.get(a.name, "")))
        for a in call.arguments
    ]
    return "\n".join(
        part
        for part in (
            f"### {call.name}\n",
            prose(comment),
            "\n".join(lines) + "\n",
            f"Who may: {_asked_by(call.callers)}.\n",
            table(("argument", "type", "default", ""), arguments),
            _answers(comment, call.columns, known),
            _errors(comment),
        )
        if part
    )


def _answers(comment: Comment, columns: tuple[Column, ...], known: dict[str, str]) -> str:
    said = comment.sections.get("Answers", {})
    title = comment.titles.get("Answers", "")
    if columns:
        rows = [
            (f"`{c.name}`", f"`{type_name(c.type)}`", cell(said.get(c.name) or known[c.name]))
            for c in columns
        ]
        return f"{title}:\n\n" + table(("column", "type", ""), rows)
    rows = [(", ".join(f"`{n}`" for n in names.split(", ")), cell(t)) for names, t in said.items()]
    return f"{title}:\n\n" + table(("field", ""), rows) if rows else ""


def _errors(comment: Comment) -> str:
    errors = comment.sections.get("Errors", {}).items()
    return table(("error", "when"), [(status, cell(text)) for status, text in errors])


def _view(view: Relation, routes: list[Route]) -> str:
    comment = parse(view.description)
    lines = [
        f"- `{', '.join(route.methods)} {route.path}`"
        for route in routes
        if route.target == view.name
    ]
    by_method: dict[str, list[str]] = {}
    for role in ASKERS:
        for privilege in view.rights[role]:
            by_method.setdefault(METHODS[privilege], []).append(role)
    by_askers: dict[str, list[str]] = {}
    for method, roles in by_method.items():
        by_askers.setdefault(_asked_by(roles), []).append(method)
    for askers, methods in by_askers.items():
        lines.append(f"- `{', '.join(methods)} /rest/v1/{view.name}`: {askers}")
    columns = [(f"`{c.name}`", f"`{type_name(c.type)}`", cell(c.description)) for c in view.columns]
    return "\n".join(
        part
        for part in (
            f"### {view.name}\n",
            prose(comment),
            "\n".join(lines) + "\n",
            table(("column", "type", ""), columns),
            _errors(comment),
        )
        if part
    )
