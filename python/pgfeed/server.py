"""pgfeed inside the server: what the plpython3u functions of sql/functions/ml call.

`plpy` exists only there, so it is imported inside; numpy is, but scipy and scikit-learn
must not be on the path of a write.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from datetime import timedelta
from typing import Any

import plpy

LOCK_NOT_AVAILABLE = "55P03"

# The session's prepared statements, by text and parameter types.
_plans: dict[tuple[str, tuple[str, ...]], Any] = {}


class ServerDatabase:
    """The session that the function runs in: pgfeed.database.Database."""

    def rows(self, sql: str, *parameters: Any) -> list[Mapping[str, Any]]:
        return list(self._execute(sql, parameters))

    def run(self, sql: str, *parameters: Any) -> int:
        return self._execute(sql, parameters).nrows()

    def copy(self, relation: str, file: bytes) -> None:
        self._execute("select ml.copy_rows($1::text, $2::bytea)", (relation, file))

    def begin_snapshot(self) -> None:
        # SET TRANSACTION is not to be had: plpy runs every statement in a subtransaction.
        self._execute("set default_transaction_isolation = 'repeatable read'")
        plpy.commit()
        self._execute("reset default_transaction_isolation")

    def commit(self) -> None:
        plpy.commit()

    def lock_publishing(self, wait: timedelta) -> bool:
        milliseconds = f"{int(wait.total_seconds() * 1000)}ms"
        self._execute("select set_config('lock_timeout', $1::text, true)", (milliseconds,))
        try:
            self._execute("select pg_advisory_xact_lock(ml.publish_lock_key())")
        except plpy.SPIError as error:
            if error.sqlstate != LOCK_NOT_AVAILABLE:
                raise
            plpy.rollback()
            return False
        self._execute("select set_config('lock_timeout', '0', true)")
        return True

    def tick(self) -> None:
        # Python does not notice a cancel request; a statement does.
        plpy.execute("select 1")

    def _execute(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        types = tuple(_type_name(value) for value in parameters)
        if (sql, types) not in _plans:
            _plans[sql, types] = plpy.prepare(sql, list(types))
        return plpy.execute(_plans[sql, types], list(parameters))


def _type_name(value: Any) -> str:
    if isinstance(value, list):
        return "text[]" if value and isinstance(value[0], str) else "bigint[]"
    return {int: "bigint", float: "double precision", str: "text", bytes: "bytea"}[type(value)]


def train(as_of: str) -> dict[str, Any]:
    """Trains and publishes: ml.train."""
    from pgfeed.training import train as train_model

    return _done(train_model, as_of)


def update(as_of: str) -> dict[str, Any]:
    """Brings the model in force up to new users: ml.update."""
    from pgfeed.updating import update as update_model

    return _done(update_model, as_of)


def _done(work: Callable[..., Any], as_of: str) -> dict[str, Any]:
    from pgfeed.training import Stopwatch

    try:
        done = work(ServerDatabase(), as_of, Stopwatch())
    except BaseException:
        # Killed while it read: the session must not stay at repeatable read.
        plpy.rollback()
        plpy.execute("reset default_transaction_isolation")
        plpy.commit()
        raise
    return {"rows": done.rows, "details": json.dumps(done.details)}


def fit_profile(as_of: str) -> dict[str, Any]:
    """Fits a profile from impressions: ml.fit_profile."""
    from pgfeed.fit.impressions import fit_profile as fit

    rows, details = fit(ServerDatabase(), as_of)
    return {"rows": rows, "details": json.dumps(details)}


def project_listings(
    cache: MutableMapping[str, Any], model_id: int, listing_nos: list[int]
) -> Iterator[tuple[int, str | None]]:
    """Rows of (listing_no, feature_vector as text): ml.project_listings.

    cache: keeps the model's projection for the session; nothing of a user is in it
    """
    from pgfeed.reading import read_listings_by_no, read_projection

    database = ServerDatabase()
    cached_id, projection = cache.get("pgfeed.projection", (None, None))
    if cached_id != model_id:
        projection = read_projection(database, model_id)
        cache["pgfeed.projection"] = (model_id, projection)
    facts = read_listings_by_no(database, listing_nos)
    vectors = projection.listing_vectors(facts)
    for listing_no, vector in zip(facts.listing_nos.tolist(), vectors.tolist(), strict=True):
        is_known = not math.isnan(vector[0])
        yield listing_no, "{" + json.dumps(vector)[1:-1] + "}" if is_known else None


def copy_rows(relation: str, file: bytes) -> None:
    """Loads a binary COPY file into a table of a model: ml.copy_rows.

    The file is in memory and has no name, so that nothing stays behind however the session
    ends; COPY opens it through /proc.
    """
    from pgfeed.publishing import COLUMNS

    columns = COLUMNS[relation]
    descriptor = os.memfd_create("pgfeed")
    try:
        with open(descriptor, "wb", closefd=False) as memory:
            memory.write(file)
        plpy.execute(
            f"copy ml.{relation} ({columns}) from '/proc/self/fd/{descriptor}' (format binary)"
        )
    finally:
        os.close(descriptor)
