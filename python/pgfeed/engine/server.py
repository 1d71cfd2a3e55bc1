"""The engine inside the server: what the plpython3u functions of sql/functions/feed call.

`plpy` exists only there. Only numpy is imported: the first feed of a session waits for it.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping, MutableMapping
from typing import Any

import numpy as np
import plpy

from pgfeed.engine.cache import Cache
from pgfeed.engine.feed import best_listings as find_best_listings
from pgfeed.engine.fold import fold
from pgfeed.engine.fold import group_by_block as group_listings

FIRST_DISTANCE = """
select ext.st_distance(p.place, p.place, false)
from (values ('point(0 0)'::ext.geography)) as p (place)
"""


BLOCK_ROWS = "select coalesce(sum(b.row_count), 0) as row_count from feed.listing_blocks as b"
# Of a listing in a block as a session holds it.
BYTES_PER_ROW = 64
# bin/up has malloc keep 64 MB that are free, and take pieces above 32 MB from elsewhere.
MOST_CLEARED = 48 << 20
PIECE = 4 << 20


class ServerDatabase:
    """The session that the function runs in; keeps its prepared statements."""

    def __init__(self) -> None:
        self.plans: dict[tuple[str, ...], Any] = {}

    def rows(self, sql: str, types: list[str], values: list[Any]) -> list[Mapping[str, Any]]:
        key = (sql, *types)
        if key not in self.plans:
            self.plans[key] = plpy.prepare(sql, types)
        return plpy.execute(self.plans[key], values)


def _clear_pages(row_count: int) -> None:
    """Has the kernel clear the memory that the blocks will need, which malloc then keeps.

    It takes longer than reading the blocks: a third of the first feed of every city.
    """
    size = min(row_count * BYTES_PER_ROW, MOST_CLEARED)
    pieces = [np.ones(PIECE, np.uint8) for _ in range(size // PIECE)]
    del pieces


def best_listings(session: MutableMapping[str, Any], *arguments: Any) -> dict[str, Any]:
    """One row of arrays: feed.best_listings.

    session: GD; keeps blocks by version and prepared statements, nothing of a user
    """
    if "pgfeed.engine" not in session:
        session["pgfeed.engine"] = (ServerDatabase(), Cache())
        _clear_pages(plpy.execute(BLOCK_ROWS)[0]["row_count"])
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
