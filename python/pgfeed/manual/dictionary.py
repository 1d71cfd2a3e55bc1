"""docs/analysts/dictionary.md: every view of analytics, and the six tables behind them."""

from __future__ import annotations

import psycopg

from pgfeed.manual import catalogue
from pgfeed.manual.catalogue import Relation
from pgfeed.manual.comments import cell, markdown, parse
from pgfeed.manual.reference import table, type_name

HEAD = """\
# Dictionary

Every view of the schema `analytics` and the six tables that everything comes from, made by
`make docs` from the comments in the database; psql's `\\d+ analytics.daily_metrics` shows the same.
Times are `timestamptz`, days are UTC, rates and shares are fractions of 1.
"""

VIEWS = """\
## Views for analysts

As the role `feed_analyst`. Each example runs as it stands.
"""

TABLES = """\
## The six tables

In the schema `feed`, which `feed_analyst` does not read: rows of single people. A DBA does.
"""

# As the design of the marketplace names them.
SIX = (
    "user_interactions",
    "engagement_metrics",
    "user_similarity_matrix",
    "user_feed_preferences",
    "listing_feature_vectors",
    "user_feature_vectors",
)


def dictionary(connection: psycopg.Connection) -> str:
    """The page."""
    views = catalogue.relations(connection, "analytics")
    views = [view for view in views if "select" in view.rights["feed_analyst"]]
    tables = catalogue.relations(connection, "feed", SIX)
    return "\n".join(
        [
            HEAD,
            VIEWS,
            _overview(views),
            *map(_section, views),
            TABLES,
            _overview(tables),
            *map(_section, tables),
        ]
    )


def _sentences(relation: Relation) -> str:
    """The comment without its example: these have no line of their own for a summary."""
    comment = parse(relation.description)
    return "\n\n".join(part for part in [comment.summary, *comment.paragraphs] if part)


def _overview(relations: list[Relation]) -> str:
    rows = []
    for relation in relations:
        first = _sentences(relation).split(". ")[0].split("\n\n")[0].rstrip(".:")
        rows.append((f"[{relation.name}](#{relation.name})", cell(first)))
    return table(("name", "holds"), rows)


def _section(relation: Relation) -> str:
    kind = "view" if relation.is_view else "table"
    columns = [
        (f"`{c.name}`", f"`{type_name(c.type)}`", cell(c.description)) for c in relation.columns
    ]
    example = parse(relation.description).example
    return "\n".join(
        part
        for part in (
            f"### {relation.name}\n",
            f"`{relation.schema}.{relation.name}`, a {kind}. {markdown(_sentences(relation))}\n",
            f"```sql\n{example}\n```\n" if example else "",
            table(("column", "type", ""), columns),
        )
        if part
    )
