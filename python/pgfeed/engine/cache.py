"""Blocks that a session has read, by version: nothing of a user, never stale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pgfeed.engine.blocks import Block, pack, split
from pgfeed.engine.rows import FACTS, Rows, concatenate, decode_facts, empty
from pgfeed.engine.vectors import VectorCache

HEADERS = """
select
    coalesce(string_agg(int4send(b.block_no), ''), '') as block_nos,
    coalesce(string_agg(int8send(b.version), ''), '') as versions
from feed.listing_blocks as b
"""
GEOMETRY = """
select block_no, version, center_x, center_y, center_z, radius
from feed.listing_blocks where block_no = any($1)
"""
READ_BLOCKS = "select * from feed.listing_blocks where block_no = any($1)"
CHANGES = """
select
    coalesce(string_agg(int8send(c.change_no), ''), '') as change_nos,
    coalesce(string_agg(int4send(coalesce(c.listing_no, 0)), ''), '') as listing_nos,
    coalesce(string_agg(int4send(coalesce(c.poster_no, 0)), ''), '') as poster_nos
from feed.listing_changes as c
"""
POSTERS = """
select u.user_no, coalesce(p.poster_score, 0) as poster_score
from feed.users as u inner join feed.posters as p on u.user_uid = p.poster_uid
where u.user_no = any($1)
"""
READ_STEP = 10000
CHANGE_BLOCK_SIZE = 4096


class Database(Protocol):
    """What the cache needs of its session."""

    def rows(self, sql: str, types: list[str], values: list[Any]) -> list[Mapping[str, Any]]: ...


class Geometry:
    """Where a block is: (3,) center, radius; center None for remote."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.version: int = row["version"]
        self.radius: float = row["radius"] or 0.0
        self.center = None
        if row["center_x"] is not None:
            self.center = np.array([row["center_x"], row["center_y"], row["center_z"]], float)


@dataclass
class Changes:
    """What changed since the blocks were written.

    listing_nos: to be left out of the blocks
    blocks: those of them that are open, as they are now
    poster_scores: by poster_no, of posters that changed
    """

    listing_nos: NDArray[np.int32]
    blocks: list[Block]
    poster_scores: dict[int, float]


class Cache:
    """What a session keeps between feeds.

    scored, skipped: blocks that the latest feed scored, and those that it could leave alone
    """

    def __init__(self) -> None:
        self.scored = self.skipped = 0
        self.geometries: dict[int, Geometry] = {}
        self.blocks: dict[int, Block] = {}
        self.vectors = VectorCache()
        self.block_of = np.full(1024, -1, np.int32)
        self.seen: bytes | None = None
        self.changes_seen: bytes | None = None
        self.changes_now = Changes(np.empty(0, np.int32), [], {})
        self.change_keys = (np.empty(0, np.int32), np.empty(0, np.int64))
        self.change_rows = empty()
        self.poster_facts: dict[int, tuple[int, float]] = {}

    def refresh(self, database: Database) -> None:
        """Learns which blocks there are, in the snapshot of the request."""
        read = database.rows(HEADERS, [], [])[0]
        seen = read["block_nos"] + read["versions"]
        if seen == self.seen:
            return
        block_nos = np.frombuffer(read["block_nos"], ">i4").tolist()
        versions = np.frombuffer(read["versions"], ">i8").tolist()
        current = dict(zip(block_nos, versions, strict=True))
        for block_no in list(self.geometries):
            if current.get(block_no) != self.geometries[block_no].version:
                del self.geometries[block_no]
                block = self.blocks.pop(block_no, None)
                if block is not None:
                    self.vectors.forget(block.listing_nos)
        unknown = [b for b in block_nos if b not in self.geometries]
        for row in database.rows(GEOMETRY, ["int4[]"], [unknown]):
            self.geometries[row["block_no"]] = Geometry(row)
        near = [b for b in block_nos if self.geometries[b].center is not None]
        self.near = np.array(near, np.int32)
        self.remote = [b for b in block_nos if self.geometries[b].center is None]
        self.near_centers = np.array([self.geometries[b].center for b in near]).reshape(-1, 3)
        self.near_radii = np.array([self.geometries[b].radius for b in near])
        self.seen = seen

    def load(self, database: Database, block_nos: list[int]) -> None:
        """Reads the blocks that are not in the cache."""
        missing = [b for b in block_nos if b not in self.blocks]
        # A few at a time, so that the rows of many blocks are never held twice.
        for start in range(0, len(missing), 16):
            for row in database.rows(READ_BLOCKS, ["int4[]"], [missing[start : start + 16]]):
                self._keep(row)

    def _keep(self, row: Mapping[str, Any]) -> None:
        block = Block(row)
        geometry = self.geometries[row["block_no"]]
        block.center, block.radius = geometry.center, geometry.radius
        self.blocks[row["block_no"]] = block
        highest = int(block.listing_nos[-1])
        if highest >= len(self.block_of):
            grown = max(highest + 1, 2 * len(self.block_of))
            self.block_of = np.concatenate(
                [self.block_of, np.full(grown - len(self.block_of), -1, np.int32)]
            )
        self.block_of[block.listing_nos] = row["block_no"]

    def locate(
        self, listing_nos: NDArray[np.int32]
    ) -> dict[int, tuple[NDArray[np.int32], NDArray[np.intp]]]:
        """Where listings are in the loaded blocks: block_no to rows, and indices of the input."""
        known = np.flatnonzero(listing_nos < len(self.block_of))
        block_nos = self.block_of[listing_nos[known]]
        order = np.argsort(block_nos, kind="stable")
        known, block_nos = known[order], block_nos[order]
        cuts = np.flatnonzero(np.diff(block_nos, prepend=-2, append=-2))
        found = {}
        for start, end in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
            block = self.blocks.get(int(block_nos[start]))
            if block is None:
                continue
            indices = known[start:end]
            rows = block.listing_nos.searchsorted(listing_nos[indices])
            # What a listing's entry says may be from before it moved to another block.
            rows[rows == block.size] = 0
            fits = block.listing_nos[rows] == listing_nos[indices]
            if fits.any():
                found[int(block_nos[start])] = (rows[fits], indices[fits])
        return found

    def unsettled(self, listing_nos: NDArray[np.int32]) -> NDArray[np.bool_]:
        """(n,) listings that changed, or whose poster did, since their block was written."""
        changed = np.isin(listing_nos, self.changes_now.listing_nos)
        if self.changes_now.poster_scores:
            poster_nos = np.fromiter(self.changes_now.poster_scores, np.int32)
            for block_no, (rows, indices) in self.locate(listing_nos).items():
                changed[indices] |= np.isin(self.blocks[block_no].poster_nos[rows], poster_nos)
        return changed

    def poster_nos(self, listing_nos: NDArray[np.int32]) -> NDArray[np.int32]:
        """(n,) whose these listings are now, 0 for nobody's."""
        poster_nos = np.zeros(len(listing_nos), np.int32)
        for block_no, (rows, indices) in self.locate(listing_nos).items():
            poster_nos[indices] = self.blocks[block_no].poster_nos[rows]
        # What changed since may be somebody else's, or in no block yet.
        for block in self.changes_now.blocks:
            indices = np.flatnonzero(np.isin(listing_nos, block.listing_nos))
            rows = block.listing_nos.searchsorted(listing_nos[indices])
            poster_nos[indices] = block.poster_nos[rows]
        return poster_nos

    def changes(self, database: Database) -> Changes:
        """What changed since the blocks were written, in the snapshot of the request."""
        read = database.rows(CHANGES, [], [])[0]
        if read["change_nos"] != self.changes_seen:
            change_nos = np.frombuffer(read["change_nos"], ">i8")
            listings = _latest(change_nos, np.frombuffer(read["listing_nos"], ">i4"))
            posters = _latest(change_nos, np.frombuffer(read["poster_nos"], ">i4"))
            self._read_changed(database, *listings)
            self._read_posters(database, dict(zip(*map(np.ndarray.tolist, posters), strict=True)))
            scores = {poster_no: score for poster_no, (_, score) in self.poster_facts.items()}
            self.changes_now = Changes(listings[0], _change_blocks(self.change_rows), scores)
            self.changes_seen = read["change_nos"]
        return self.changes_now

    def _read_changed(
        self, database: Database, listing_nos: NDArray[np.int32], change_nos: NDArray[np.int64]
    ) -> None:
        """Keeps change_rows at these listings as of these changes; closed ones have no row."""
        known = np.zeros(len(listing_nos), bool)
        place = np.searchsorted(self.change_keys[0], listing_nos)
        inside = np.flatnonzero(place < len(self.change_keys[0]))
        known[inside] = (self.change_keys[0][place[inside]] == listing_nos[inside]) & (
            self.change_keys[1][place[inside]] == change_nos[inside]
        )
        kept = np.isin(self.change_rows.listing_nos, listing_nos[known])
        parts = [self.change_rows.take(np.flatnonzero(kept))]
        wanted = listing_nos[~known]
        for start in range(0, len(wanted), READ_STEP):
            step = wanted[start : start + READ_STEP].tolist()
            parts.append(decode_facts(database.rows(FACTS, ["int4[]"], [step])[0]))
        self.change_rows = concatenate(parts)
        self.change_keys = (listing_nos, change_nos)

    def _read_posters(self, database: Database, latest: dict[int, int]) -> None:
        for poster_no in [n for n, (c, _) in self.poster_facts.items() if latest.get(n) != c]:
            del self.poster_facts[poster_no]
        wanted = [n for n in latest if n not in self.poster_facts]
        if wanted:
            for row in database.rows(POSTERS, ["int4[]"], [wanted]):
                self.poster_facts[row["user_no"]] = (latest[row["user_no"]], row["poster_score"])


def _latest(
    change_nos: NDArray[np.int64], subjects: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The subjects but 0, ascending, and the greatest change_no of each."""
    order = np.lexsort((change_nos, subjects))
    subjects, change_nos = subjects[order].astype(np.int32), change_nos[order].astype(np.int64)
    last = np.flatnonzero(np.diff(subjects, append=-1))
    last = last[subjects[last] != 0]
    return subjects[last], change_nos[last]


def _change_blocks(rows: Rows) -> list[Block]:
    """Changed listings as blocks that are nowhere stored."""
    blocks = []
    is_remote = np.isnan(rows.xs)
    for chosen in (np.flatnonzero(~is_remote), np.flatnonzero(is_remote)):
        for part in split(rows.take(chosen), CHANGE_BLOCK_SIZE):
            packed = pack(part) | {"version": 0}
            block, geometry = Block(packed), Geometry(packed)
            block.center, block.radius = geometry.center, geometry.radius
            blocks.append(block)
    return blocks
