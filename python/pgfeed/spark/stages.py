"""The stages of the product as Spark runs them: pgfeed.spark.products on Arrow's batches.

Between stages a row is a package: a number that says where it goes, and arrays as bytes. Spark
then sorts and copies a few packages a task where it would otherwise do so with every pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from pgfeed.spark.products import Columns, columns_for_blocks, neighbors_of_block

# What the driver writes: a pair a row. The names are those of rows and columns of the matrix.
PAIRS = pa.schema(
    [("user", pa.int32()), ("listing", pa.int32()), ("block", pa.int32()), ("value", pa.float64())]
)
# Pairs of one share of the listings.
SHARES = {"share": "int", "users": "i4", "listings": "i4", "blocks": "i4", "values_": "f8"}
# Columns that one block wants.
COLUMNS = {"block": "int", "counts": "i4", "users": "i4", "values_": "f8", "is_own": "?"}
# What a block found; one row each.
FOUND = {
    "block": "int",
    "users": "i4",
    "counts": "i4",
    "rows": "i4",
    "similarities": "f4",
    "pairs": "long",
    "products": "long",
    "seconds": "double",
}

TRIED = {"rows": "int"}

# Pairs that a task collects before it makes packages of them.
PAIRS_PER_PACKAGE = 1 << 22

Batches = Iterator[pa.RecordBatch]
Key = tuple[pa.Scalar, ...]


def ddl(fields: dict[str, str]) -> str:
    """Spark's schema of a package."""
    scalars = ("int", "long", "double")
    return ", ".join(
        f"{name} {kind if kind in scalars else 'binary'}" for name, kind in fields.items()
    )


def package(fields: dict[str, str], **values: object) -> pa.RecordBatch:
    """A batch of one row."""
    arrays = []
    for name, kind in fields.items():
        value = values[name]
        if isinstance(value, np.ndarray):
            arrays.append(pa.array([np.ascontiguousarray(value, kind).tobytes()], pa.binary()))
        else:
            types = {"int": pa.int32(), "long": pa.int64(), "double": pa.float64()}
            arrays.append(pa.array([value], types[kind]))
    return pa.RecordBatch.from_arrays(arrays, names=list(fields))


def unpack(fields: dict[str, str], batch: pa.RecordBatch) -> Iterator[dict[str, np.ndarray]]:
    """The arrays of each row, without copying."""
    names = [name for name, kind in fields.items() if kind not in ("int", "long", "double")]
    for row in range(batch.num_rows):
        yield {
            name: np.frombuffer(batch.column(name)[row].as_buffer(), fields[name]) for name in names
        }


def try_out(batches: Batches) -> Batches:
    """Fails where something is missing that the stages import."""
    import scipy.sparse  # noqa: F401
    import sparse_dot_topn  # noqa: F401

    for batch in batches:
        yield package(TRIED, rows=batch.num_rows)


def share_out(shares: int) -> Callable[[Batches], Batches]:
    """Pairs as they come, made into packages by their listings."""

    def run(batches: Batches) -> Batches:
        waiting: list[pa.RecordBatch] = []
        for batch in batches:
            waiting.append(batch)
            if sum(one.num_rows for one in waiting) >= PAIRS_PER_PACKAGE:
                yield from packages(waiting)
                waiting = []
        if waiting:
            yield from packages(waiting)

    def packages(batches: list[pa.RecordBatch]) -> Batches:
        table = pa.Table.from_batches(batches)
        columns = [table.column(name).to_numpy() for name in PAIRS.names]
        share_of = columns[1] % shares
        order = np.argsort(share_of, kind="stable")
        users, listings, blocks, values = (column[order] for column in columns)
        edges = np.searchsorted(share_of[order], np.arange(shares + 1))
        for share in np.flatnonzero(np.diff(edges)).tolist():
            part = slice(edges[share], edges[share + 1])
            yield package(
                SHARES,
                share=share,
                users=users[part],
                listings=listings[part],
                blocks=blocks[part],
                values_=values[part],
            )

    return run


def columns_of(shares: int) -> Callable[[Key, Batches], Batches]:
    """All pairs of a share of the listings, as columns for each block that wants them."""

    # Spark reads from the annotations that a group comes, and is answered, batch by batch.
    def run(key: Key, batches: Batches) -> Batches:
        parts = [part for batch in batches for part in unpack(SHARES, batch)]
        users, listings, blocks, values = (
            np.concatenate([part[name] for part in parts])
            for name in ("users", "listings", "blocks", "values_")
        )
        del parts
        for block, columns in columns_for_blocks(users, listings, blocks, values, shares):
            yield package(
                COLUMNS,
                block=block,
                counts=columns.counts,
                users=columns.users,
                values_=columns.values,
                is_own=columns.is_own,
            )

    return run


def neighbors_of(count: int, products_per_step: int) -> Callable[[Key, Batches], Batches]:
    """All columns that a block wants, made into the neighbors of its users."""

    def run(key: Key, batches: Batches) -> Batches:
        parts = [
            Columns(part["counts"], part["users"], part["values_"], part["is_own"])
            for batch in batches
            for part in unpack(COLUMNS, batch)
        ]
        found = neighbors_of_block(parts, count, products_per_step)
        yield package(
            FOUND,
            block=key[0].as_py(),
            users=found.users,
            counts=np.diff(found.neighbors.starts),
            rows=found.neighbors.rows,
            similarities=found.neighbors.similarities,
            pairs=found.pairs,
            products=found.products,
            seconds=found.seconds,
        )

    return run
