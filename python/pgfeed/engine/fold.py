"""Changes into blocks: feed.fold_changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pgfeed.engine.blocks import COLUMNS, Block, pack, split
from pgfeed.engine.rows import FACTS, Rows, concatenate, decode_facts

READ_CHANGES = """
select
    coalesce(string_agg(int8send(c.change_no), ''), '') as change_nos,
    coalesce(string_agg(int4send(c.listing_no), ''), '') as listing_nos,
    coalesce(string_agg(int4send(c.poster_no), ''), '') as poster_nos
from feed.listing_changes as c
where $1 is null or c.listing_no = any($1)
"""
HEADERS = """
select block_no, center_x, center_y, center_z, listing_nos
from feed.listing_blocks order by block_no
"""
OWNERS = "select listing_nos, poster_nos from feed.listing_blocks"
READ_BLOCK = "select * from feed.listing_blocks where block_no = $1"
READ_STEP = 50000
LOOSE_STEP = 4096


class Database(Protocol):
    """What a fold needs of its session."""

    def rows(self, sql: str, types: list[str], values: list[Any]) -> list[Mapping[str, Any]]: ...


def fold(database: Database, only: list[int] | None) -> dict[str, int]:
    """Takes what changed into the blocks, and exactly the changes that it read out of the list.

    Touches the blocks that hold a changed listing, or get one.

    only: listing_nos to fold; None for all
    Returns how many changes were folded and how many blocks written.
    """
    database.rows("select pg_advisory_xact_lock(hashtext('feed.fold_changes'))", [], [])
    block_size = database.rows("select block_size from feed.block_parameters", [], [])
    read = database.rows(READ_CHANGES, ["int4[]"], [only])[0]
    change_nos = np.frombuffer(read["change_nos"], ">i8")
    if not len(change_nos):
        return {"changes": 0, "blocks": 0}

    headers = database.rows(HEADERS, [], [])
    changed = _changed_listings(database, read)
    present = _read_facts(database, changed)
    blocks = _Blocks(database, headers, block_size[0]["block_size"])
    blocks.remove(changed)
    blocks.add(present)
    written = blocks.write()
    database.rows(
        "delete from feed.listing_changes where change_no = any($1)",
        ["int8[]"],
        [change_nos.tolist()],
    )
    return {"changes": len(change_nos), "blocks": written}


def group_by_block(database: Database, listing_nos: list[int]) -> list[tuple[int | None, list]]:
    """Listings by the block that holds them; None for those in none, LOOSE_STEP a group."""
    wanted = _lookup(np.array(listing_nos, np.int32))
    groups: list[tuple[int | None, list]] = []
    for header in database.rows(HEADERS, [], []):
        held = np.frombuffer(header["listing_nos"], "<i4")
        held = held[_contains(wanted, held)]
        if len(held):
            groups.append((header["block_no"], held.tolist()))
            wanted[held] = False
    rest = np.flatnonzero(wanted).tolist()
    return groups + [(None, rest[n : n + LOOSE_STEP]) for n in range(0, len(rest), LOOSE_STEP)]


def _lookup(listing_nos: NDArray[np.int32]) -> NDArray[np.bool_]:
    """A set of listings, for _contains."""
    lookup = np.zeros(int(listing_nos.max(initial=0)) + 1, bool)
    lookup[listing_nos] = True
    return lookup


def _contains(lookup: NDArray[np.bool_], listing_nos: NDArray[np.int32]) -> NDArray[np.bool_]:
    return (listing_nos < len(lookup)) & lookup[np.minimum(listing_nos, len(lookup) - 1)]


def _changed_listings(database: Database, read: Mapping[str, Any]) -> NDArray[np.int32]:
    """The listings of all changes: a poster's are those in the blocks.

    Those of a poster that are in no block are changes themselves.
    """
    listings = [np.frombuffer(read["listing_nos"], ">i4").astype(np.int32)]
    posters = np.unique(np.frombuffer(read["poster_nos"], ">i4").astype(np.int32))
    if len(posters):
        for block in database.rows(OWNERS, [], []):
            owned = np.isin(np.frombuffer(block["poster_nos"], "<i4"), posters)
            listings.append(np.frombuffer(block["listing_nos"], "<i4")[owned])
    return np.unique(np.concatenate(listings))


def _read_facts(database: Database, listing_nos: NDArray[np.int32]) -> Rows:
    parts = []
    for start in range(0, len(listing_nos), READ_STEP):
        step = listing_nos[start : start + READ_STEP].tolist()
        parts.append(decode_facts(database.rows(FACTS, ["int4[]"], [step])[0]))
    return concatenate(parts)


class _Blocks:
    """The blocks that a fold touches, as rows."""

    def __init__(
        self, database: Database, headers: list[Mapping[str, Any]], block_size: int
    ) -> None:
        self.database = database
        self.headers = {h["block_no"]: h for h in headers}
        self.block_size = block_size
        self.touched: dict[int, list[Rows]] = {}

    def remove(self, listing_nos: NDArray[np.int32]) -> None:
        lookup = _lookup(listing_nos)
        for block_no, header in self.headers.items():
            gone = _contains(lookup, np.frombuffer(header["listing_nos"], "<i4"))
            if gone.any():
                rows = self._open(block_no)
                rows[0] = rows[0].take(np.flatnonzero(~gone))

    def add(self, rows: Rows) -> None:
        """Each into the block whose center is nearest; remote ones into the emptiest."""
        is_remote = np.isnan(rows.xs)
        self._add_remote(rows.take(np.flatnonzero(is_remote)))
        placed = rows.take(np.flatnonzero(~is_remote))
        if not len(placed):
            return
        near = [b for b, h in self.headers.items() if h["center_x"] is not None]
        if not near:
            self.touched.setdefault(-1, []).append(placed)
            return
        centers = np.array(
            [[self.headers[b][f"center_{axis}"] for axis in "xyz"] for b in near], np.float32
        )
        places = np.stack([placed.xs, placed.ys, placed.zs], axis=1)
        nearest = np.empty(len(placed), np.intp)
        for start in range(0, len(placed), READ_STEP):
            nearest[start : start + READ_STEP] = np.argmax(
                places[start : start + READ_STEP] @ centers.T, axis=1
            )
        for index in np.unique(nearest).tolist():
            self._open(near[index]).append(placed.take(np.flatnonzero(nearest == index)))

    def _add_remote(self, rows: Rows) -> None:
        if not len(rows):
            return
        sizes = {b: len(h["listing_nos"]) for b, h in self.headers.items() if h["center_x"] is None}
        if sizes:
            self._open(min(sizes, key=sizes.__getitem__)).append(rows)
        else:
            self.touched.setdefault(-2, []).append(rows)

    def _open(self, block_no: int) -> list[Rows]:
        if block_no not in self.touched:
            row = self.database.rows(READ_BLOCK, ["int4"], [block_no])[0]
            self.touched[block_no] = [Block(row).rows()]
        return self.touched[block_no]

    def write(self) -> int:
        """Writes every touched block: gone if empty, split if too large."""
        next_no = max(self.headers, default=0) + 1
        written = 0
        names = ["row_count", "center_x", "center_y", "center_z", "radius", *COLUMNS]
        types = ["int4", *["float4"] * 4, *["bytea"] * len(COLUMNS)]
        upsert = f"""
            insert into feed.listing_blocks (block_no, version, {", ".join(names)})
            values ($1, nextval('feed.block_versions'),
                {", ".join(f"${n + 2}" for n in range(len(names)))})
            on conflict (block_no) do update set version = excluded.version,
                {", ".join(f"{name} = excluded.{name}" for name in names)}
        """
        for block_no, parts in sorted(self.touched.items()):
            if block_no > 0:
                self.database.rows(
                    "delete from feed.listing_blocks where block_no = $1", ["int4"], [block_no]
                )
            target = block_no
            for rows in split(concatenate(parts), self.block_size):
                if target <= 0:
                    target, next_no = next_no, next_no + 1
                packed = pack(rows)
                self.database.rows(
                    upsert, ["int4", *types], [target, *(packed[name] for name in names)]
                )
                written += 1
                target = -1
        return written
