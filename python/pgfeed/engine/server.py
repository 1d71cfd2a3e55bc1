"""The engine inside the server: what the plpython3u functions of sql/functions/feed call.

`plpy` exists only there. Only numpy is imported: the first feed of a session waits for it.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping, MutableMapping
from typing import Any

import plpy

from pgfeed.engine.cache import Cache
from pgfeed.engine.feed import best_listings as find_best_listings
from pgfeed.engine.fold import fold
from pgfeed.engine.fold import group_by_block as group_listings

FIRST_DISTANCE = """
select ext.st_distance(p.place, p.place, false)
from (values ('point(0 0)'::ext.geography)) as p (place)
"""


class ServerDatabase:
    """The session that the function runs in; keeps its prepared statements."""

    def __init__(self) -> None:
        self.plans: dict[tuple[str, ...], Any] = {}

    def rows(self, sql: str, types: list[str], values: list[Any]) -> list[Mapping[str, Any]]:
        key = (sql, *types)
        if key not in self.plans:
            self.plans[key] = plpy.prepare(sql, types)
        return plpy.execute(self.plans[key], values)


def best_listings(session: MutableMapping[str, Any], *arguments: Any) -> dict[str, Any]:
    """One row of arrays: feed.best_listings.

    session: GD; keeps blocks by version and prepared statements, nothing of a user
    """
    if "pgfeed.engine" not in session:
        session["pgfeed.engine"] = (ServerDatabase(), Cache())
        # The session's first distance opens PROJ's database: 10 ms, better spent now.
        plpy.execute(FIRST_DISTANCE)
        # numpy's hundred thousand objects stay to the end: a full collection that looks at
        # them all takes longer than a feed.
        gc.collect()
        gc.freeze()
    return find_best_listings(*session["pgfeed.engine"], *arguments)


def fold_changes(only: list[int] | None) -> dict[str, int]:
    """Changes into blocks: feed.fold_changes."""
    return fold(ServerDatabase(), only)


def group_by_block(listing_nos: list[int]) -> list[tuple[int | None, list[int]]]:
    """Listings by block: feed.group_by_block."""
    return group_listings(ServerDatabase(), listing_nos)
