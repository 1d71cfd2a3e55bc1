"""Rows in PostgreSQL's binary COPY format, packed by numpy.

Loading 5M rows so takes 1.5 s; by insert … select unnest(…) 9 s.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence

import numpy as np

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

INT4_OID = 23
FLOAT4_OID = 700
JSONB_VERSION = b"\x01"


def file(parts: Iterable[bytes]) -> bytes:
    """A whole COPY file of packed rows."""
    return b"".join((HEADER, *parts, TRAILER))


def rows(columns: Sequence[np.ndarray | None]) -> bytes:
    """n rows of columns that are the same size in every row.

    A column is (n,) int32 for integer, (n,) float64 for double precision, (n, k) int32 for
    integer[], (n, k) float32 for real[], or None for nulls. One column at least is an array.
    """
    count = next(len(column) for column in columns if column is not None)
    table = np.zeros(
        count,
        dtype=[("columns", ">i2"), *((f"c{i}", _dtype(c)) for i, c in enumerate(columns))],
    )
    table["columns"] = len(columns)
    for i, column in enumerate(columns):
        _fill(table[f"c{i}"], column)
    return table.tobytes()


def _dtype(column: np.ndarray | None) -> list[tuple]:
    if column is None:
        return [("size", ">i4")]
    number = column.dtype.newbyteorder(">").str
    if column.ndim == 1:
        return [("size", ">i4"), ("value", number)]
    elements = [("elements", [("size", ">i4"), ("value", number)], (column.shape[1],))]
    head = [("size", ">i4"), ("ndim", ">i4"), ("flags", ">i4"), ("oid", ">i4")]
    if column.shape[1] == 0:
        return head
    return [*head, ("length", ">i4"), ("lower", ">i4"), *elements]


def _fill(field: np.ndarray, column: np.ndarray | None) -> None:
    if column is None:
        field["size"] = -1
        return
    field["size"] = field.dtype.itemsize - 4
    if column.ndim == 1:
        field["value"] = column
        return
    field["oid"] = {"i": INT4_OID, "f": FLOAT4_OID}[column.dtype.kind]
    if column.shape[1]:
        field["ndim"] = 1
        field["length"] = column.shape[1]
        field["lower"] = 1
        field["elements"]["size"] = 4
        field["elements"]["value"] = column


def row(fields: Sequence[bytes | None]) -> bytes:
    """One row of fields in their types' binary form; None for null."""
    parts = [struct.pack(">h", len(fields))]
    for field in fields:
        parts += [struct.pack(">i", -1 if field is None else len(field)), field or b""]
    return b"".join(parts)


def int2(value: int) -> bytes:
    return struct.pack(">h", value)


def int4(value: int) -> bytes:
    return struct.pack(">i", value)


def float8(value: float) -> bytes | None:
    """NaN is null."""
    return None if math.isnan(value) else struct.pack(">d", value)


def text(value: str) -> bytes:
    return value.encode()


def jsonb(value: str) -> bytes:
    return JSONB_VERSION + value.encode()


def real_array(value: np.ndarray) -> bytes | None:
    """(k,) float32; NaN in the first place is null."""
    if len(value) and np.isnan(value[0]):
        return None
    packed = np.zeros(1, _dtype(value[np.newaxis].astype(np.float32)))
    _fill(packed, value[np.newaxis].astype(np.float32))
    return packed.tobytes()[4:]


def read_real_arrays(sent: bytes, count: int) -> np.ndarray:
    """(count, k) float32 from the concatenated array_send of arrays of one length."""
    if not sent:
        return np.empty((count, 0), np.float32)
    if len(sent) == count * 12:
        return np.empty((count, 0), np.float32)
    length = (len(sent) // count - 20) // 8
    dtype = np.dtype([("head", "V20"), ("elements", [("size", ">i4"), ("v", ">f4")], (length,))])
    return np.frombuffer(sent, dtype)["elements"]["v"].astype(np.float32)
