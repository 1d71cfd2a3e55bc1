"""The pages that are made, by their paths."""

from __future__ import annotations

from pathlib import Path

import psycopg

from pgfeed.manual.dictionary import dictionary
from pgfeed.manual.gateway import routes
from pgfeed.manual.reference import reference


def made_pages(connection: psycopg.Connection, repository: Path) -> dict[str, str]:
    """What each made page must say, of the database of the connection."""
    configuration = (repository / "deploy/nginx.conf").read_text()
    return {
        "docs/clients/reference.md": reference(connection, routes(configuration)),
        "docs/analysts/dictionary.md": dictionary(connection),
    }
