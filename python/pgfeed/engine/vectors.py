"""Feature vectors of listings that a session has read: nothing of a user, never stale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

VECTORS = """
select
    coalesce(string_agg(int4send(v.listing_no), ''), '') as listing_nos,
    coalesce(string_agg(array_send(v.feature_vector), ''), '') as vectors
from ml.listing_vectors as v
where
    v.model_id = $1
    and v.listing_no = any($2)
    and v.feature_vector is not null
"""
# Most vectors kept: 13 MB of 50 dimensions.
CAPACITY = 65536


class Database(Protocol):
    """What reading needs of its session."""

    def rows(self, sql: str, types: list[str], values: list[Any]) -> list[Mapping[str, Any]]: ...


class VectorCache:
    """Vectors of listings that are in blocks, under one model.

    A listing's vector changes only in a transaction that notes a change of the listing or of
    its poster. So a vector is what it was while the listing's block has its version and no
    such note is visible; the owner of the cache calls forget() for the listings of a block
    that is gone, and reads listings with a note as unsettled.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self.model_id: int | None = None
        # By listing_no: where its vector is, -1 for not read.
        self.slots = np.full(1024, -1, np.int32)
        self.vectors = np.empty((0, 0), np.float32)
        self.count = 0

    def forget(self, listing_nos: NDArray[np.int32]) -> None:
        """These listings may have other vectors by now."""
        self.slots[listing_nos[listing_nos < len(self.slots)]] = -1

    def read(
        self,
        database: Database,
        model_id: int,
        dimensions: int,
        listing_nos: NDArray[np.int32],
        unsettled: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        """(n, dimensions) vectors of distinct listings; zeros for those without one.

        unsettled: (n,) listings that changed since their block was written: read, not kept
        """
        if model_id != self.model_id or self.count + len(listing_nos) > self.capacity:
            self.model_id = model_id
            self.slots[:] = -1
            self.vectors, self.count = np.empty((0, dimensions), np.float32), 0
        highest = int(listing_nos.max(initial=0))
        if highest >= len(self.slots):
            grown = np.full(max(highest + 1, 2 * len(self.slots)), -1, np.int32)
            grown[: len(self.slots)] = self.slots
            self.slots = grown

        slots = self.slots[listing_nos]
        missing = (slots < 0) | unsettled
        if not missing.any():
            return self.vectors[slots]
        read = _read(database, model_id, dimensions, listing_nos[missing])
        found = np.empty((len(listing_nos), dimensions), np.float32)
        found[missing] = read
        found[~missing] = self.vectors[slots[~missing]]
        self._keep(listing_nos[missing & ~unsettled], read[~unsettled[missing]])
        return found

    def _keep(self, listing_nos: NDArray[np.int32], vectors: NDArray[np.float32]) -> None:
        end = self.count + len(listing_nos)
        if end > len(self.vectors):
            grown = np.empty((max(end, 2 * len(self.vectors), 1024), vectors.shape[1]), np.float32)
            grown[: self.count] = self.vectors[: self.count]
            self.vectors = grown
        self.vectors[self.count : end] = vectors
        self.slots[listing_nos] = np.arange(self.count, end, dtype=np.int32)
        self.count = end


def _read(
    database: Database, model_id: int, dimensions: int, listing_nos: NDArray[np.int32]
) -> NDArray[np.float32]:
    vectors = np.zeros((len(listing_nos), dimensions), np.float32)
    read = database.rows(VECTORS, ["int4", "int4[]"], [model_id, listing_nos.tolist()])[0]
    nos = np.frombuffer(read["listing_nos"], ">i4")
    if len(nos):
        order = np.argsort(listing_nos)
        vectors[order[np.searchsorted(listing_nos[order], nos)]] = decode(read["vectors"], len(nos))
    return vectors


def decode(data: bytes, count: int) -> NDArray[np.float32]:
    """(count, d) from real[] as array_send writes it: 20 bytes of header, then length, value."""
    words = np.frombuffer(data, ">i4").reshape(count, -1)[:, 6::2]
    return words.astype("<i4").view("<f4")
