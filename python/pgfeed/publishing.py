"""Writes a model beside the one in force, then puts it in force.

Rows go in steps, each a transaction of its own: nobody waits for a training. A step locks
the users or listings that it writes about and leaves out those that have gone or are just
being deleted. What happened in the meantime is caught up with at the end; the last of it
and the move of the pointer are one short transaction under the publishing lock, which
writers of listings and deleters of users share (ml.model_for_writing).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import numpy as np

from pgfeed import binary_copy
from pgfeed.database import Database, row
from pgfeed.projection import Projection
from pgfeed.reading import (
    integers,
    read_eligible_users,
    read_listings_by_no,
    read_posters,
)
from pgfeed.similarity import Neighbors

# The relations that training loads, and their columns in the order of the COPY file.
COLUMNS = {
    "tag_projections": "model_id, tag, idf, vector",
    "location_clusters": "model_id, cluster_no, centre",
    "listing_vectors": "model_id, listing_no, feature_vector",
    "user_vectors": "model_id, user_no, tag_preference, compensation_preference,"
    " activity_level, feature_vector",
    "user_neighbors": "model_id, user_no, neighbor_nos, similarities",
    "listing_neighbors": "model_id, listing_no, neighbor_nos, similarities",
}

# Before the pointer moves, catching up is tried without the lock so often at most.
CATCH_UP_ROUNDS = 5

# How often a training that waits looks whether it was cancelled.
POLL_SECONDS = 0.1

CHANGED_LISTINGS = """
select string_agg(int4send(c.listing_no), ''::bytea order by c.listing_no) as nos
from (
    select l.listing_no
    from feed.listings as l
    where l.changed_xid >= $1::text::xid8
    union
    select l.listing_no
    from feed.listings as l
    where l.poster_uid = any($2::text[]::uuid[])
    union
    select l.listing_no
    from feed.listings as l
    where l.listing_no = any($3::integer[])
) as c
"""

# One lock for all listings and users: key share, as the foreign keys take it. Whoever is
# being deleted is skipped, not waited for, so that no deleter can deadlock with training.
LOCK = """
select string_agg(int4send(k.no), ''::bytea) as nos
from (
    select t.{key} as no
    from feed.{relation} as t
    where t.{key} = any($1::integer[])
    order by t.{key}
    for key share skip locked
) as k
"""


def delete_other_models(database: Database, rows_per_step: int) -> int:
    """Deletes every model but the one in force, in steps; returns how many."""
    models = [
        found["model_id"]
        for found in database.rows(
            """
            select m.model_id
            from ml.models as m
            where not exists (select from ml.current_model as c where c.model_id = m.model_id)
            order by m.model_id
            """
        )
    ]
    for model_id in models:
        for relation in COLUMNS:
            # ml.forget_user locks these in an order of its own: what it has goes with the model.
            skipping = "for update skip locked" if relation == "user_neighbors" else ""
            statement = f"""
                delete from ml.{relation} as t
                where t.ctid = any(array(
                    select d.ctid from ml.{relation} as d
                    where d.model_id = $1::integer limit $2::integer {skipping}
                ))
                """
            while database.run(statement, model_id, rows_per_step) >= rows_per_step:
                database.commit()
        # Whatever came meanwhile goes with the model, by the foreign keys.
        database.run("delete from ml.models as m where m.model_id = $1::integer", model_id)
        database.commit()
    return len(models)


class Model:
    """A model that is being written, and what has to be caught up with."""

    def __init__(self, database: Database, as_of: str, details: dict[str, Any], step: int) -> None:
        self.database = database
        self.rows_per_step = step
        self.rows_written = 0
        self.model_id: int = row(
            database,
            """
            insert into ml.models (trained_at, details)
            values ($1::timestamptz, $2::text::jsonb)
            returning model_id
            """,
            as_of,
            json.dumps(details),
        )["model_id"]
        self.skipped_listings: set[int] = set()
        database.commit()

    def write_neighbors(
        self, user_nos: np.ndarray, sources: np.ndarray, neighbors: Neighbors
    ) -> None:
        """A part of the users.

        user_nos: (n_users,) of all, ascending
        sources: (n,) whose neighbors they are, positions in user_nos
        """
        source_nos = user_nos[sources]
        for step in self._steps(np.flatnonzero(np.diff(neighbors.starts))):
            there = lock_those_there(self.database, "users", source_nos[step])
            rows = step[np.isin(source_nos[step], there)]
            parts = neighbor_rows(self.model_id, source_nos, user_nos, rows, neighbors)
            self._load("user_neighbors", parts, len(rows))
            self.database.commit()

    def write_listing_neighbors(
        self, listing_nos: np.ndarray, sources: np.ndarray, neighbors: Neighbors
    ) -> int:
        """A part of the listings; returns the number of rows.

        listing_nos: (n_listings,) of all, ascending
        sources: (n,) whose neighbors they are, positions in listing_nos
        """
        before = self.rows_written
        source_nos = listing_nos[sources]
        for step in self._steps(np.flatnonzero(np.diff(neighbors.starts))):
            there = lock_those_there(self.database, "listings", source_nos[step])
            rows = step[np.isin(source_nos[step], there)]
            parts = neighbor_rows(self.model_id, source_nos, listing_nos, rows, neighbors)
            self._load("listing_neighbors", parts, len(rows))
            self.database.commit()
        return self.rows_written - before

    def write_projection(self, projection: Projection) -> None:
        """The tags, the clusters, and the rest as ml.models.parameters."""
        model = binary_copy.int4(self.model_id)
        self._load(
            "tag_projections",
            (
                binary_copy.row(
                    (
                        model,
                        binary_copy.text(tag),
                        binary_copy.float8(projection.idf[place]),
                        binary_copy.real_array(projection.tag_vectors[place]),
                    )
                )
                for tag, place in projection.vocabulary.items()
            ),
            len(projection.vocabulary),
        )
        self._load(
            "location_clusters",
            (
                binary_copy.row((model, binary_copy.int2(no), binary_copy.real_array(centre)))
                for no, centre in enumerate(projection.centres)
            ),
            len(projection.centres),
        )
        self.database.run(
            """
            update ml.models as m
            set tag_dimensions = $2::smallint, parameters = $3::text::jsonb
            where m.model_id = $1::integer
            """,
            self.model_id,
            projection.tag_dimensions,
            json.dumps(projection.parameters()),
        )
        self.database.commit()

    def write_listing_vectors(self, listing_nos: np.ndarray, vectors: np.ndarray) -> None:
        """vectors: (n, dimensions) float32, NaN rows for listings without one."""
        for places in self._steps(np.arange(len(listing_nos))):
            self._load_listing_vectors(listing_nos[places], vectors[places])
            self.database.commit()

    def write_user_vectors(
        self,
        user_nos: np.ndarray,
        tag_preferences: list[str],
        compensation: np.ndarray,
        activity: np.ndarray,
        vectors: np.ndarray,
    ) -> None:
        """All (n, …) in the order of user_nos; users without activity get no row."""
        active = np.flatnonzero(activity > 0)
        for step in self._steps(active):
            there = lock_those_there(self.database, "users", user_nos[step])
            places = step[np.isin(user_nos[step], there)]
            rows = user_vector_rows(
                self.model_id, user_nos, places, tag_preferences, compensation, activity, vectors
            )
            self._load("user_vectors", rows, len(places))
            self.database.commit()

    def publish(
        self,
        projection: Projection,
        trained_users: np.ndarray,
        posters: dict[str, float],
        snapshot_xmin: str,
        lock_wait: timedelta,
        lock_attempts: int,
    ) -> dict[str, int]:
        """Catches up and puts the model in force; returns counts of what was caught up with.

        trained_users, posters, snapshot_xmin: what the training read

        Raises TimeoutError if writers of listings held the lock all the time.
        """
        catching_up = _CatchingUp(self, projection, trained_users, posters, snapshot_xmin)
        for _ in range(CATCH_UP_ROUNDS):
            changed = catching_up.run()
            self.database.commit()
            if changed < self.rows_per_step:
                break
        # So that the planner knows the new model's rows from the first feed on.
        for relation in COLUMNS:
            self.database.run(f"analyze ml.{relation}")
        self.database.commit()

        self._lock_publishing(lock_wait, lock_attempts)
        catching_up.run()
        self.database.run(
            """
            update ml.current_model as c
            set model_id = $1::integer, published_at = clock_timestamp()
            """,
            self.model_id,
        )
        self.database.commit()
        if self.skipped_listings:
            # Somebody held these rows, and may not have changed them after all.
            skipped = sorted(self.skipped_listings)
            self.database.run("select ml.write_listing_vectors($1::integer[])", skipped)
            # Feeds may have found them without a vector under this model already.
            self.database.run(
                "insert into feed.listing_changes (listing_no) select unnest($1::integer[])",
                skipped,
            )
            self.database.commit()
        return catching_up.counts

    def _lock_publishing(self, wait: timedelta, attempts: int) -> None:
        """Takes the publishing lock; between attempts lets the writers that queued go on."""
        for _ in range(attempts):
            if self.database.lock_publishing(wait):
                return
            resume_at = time.monotonic() + wait.total_seconds()
            while time.monotonic() < resume_at:
                self.database.tick()
                time.sleep(POLL_SECONDS)
        raise TimeoutError(f"writers held the publishing lock through {attempts} waits of {wait}")

    def _steps(self, places: np.ndarray) -> Iterator[np.ndarray]:
        for first in range(0, len(places), self.rows_per_step):
            self.database.tick()
            yield places[first : first + self.rows_per_step]

    def _load_listing_vectors(self, listing_nos: np.ndarray, vectors: np.ndarray) -> None:
        there = np.isin(listing_nos, lock_those_there(self.database, "listings", listing_nos))
        self.skipped_listings.update(listing_nos[~there].tolist())
        self.skipped_listings.difference_update(listing_nos[there].tolist())
        has_vector = np.isfinite(vectors[:, 0])
        some, none = there & has_vector, there & ~has_vector
        parts = []
        if some.any():
            parts.append(self._pack((listing_nos[some].astype("i4"), vectors[some])))
        if none.any():
            parts.append(self._pack((listing_nos[none].astype("i4"), None)))
        self._load("listing_vectors", parts, int(there.sum()))

    def _pack(self, columns: tuple[np.ndarray | None, ...]) -> bytes:
        return binary_copy.rows((np.full(len(columns[0]), self.model_id, "i4"), *columns))

    def _load(self, relation: str, parts: Iterable[bytes], count: int) -> None:
        if count:
            self.database.copy(relation, binary_copy.file(parts))
            self.rows_written += count


def lock_those_there(database: Database, relation: str, nos: np.ndarray) -> np.ndarray:
    """Those of the users or listings that are there and stay to the end of the transaction."""
    key = {"users": "user_no", "listings": "listing_no"}[relation]
    sql = LOCK.format(relation=relation, key=key)
    return integers(row(database, sql, nos.tolist())["nos"])


def neighbor_rows(
    model_id: int,
    row_nos: np.ndarray,
    member_nos: np.ndarray,
    rows: np.ndarray,
    neighbors: Neighbors,
) -> Iterator[bytes]:
    """COPY rows of ml.user_neighbors or ml.listing_neighbors: these rows of the neighbors.

    row_nos: whose each row is; member_nos: who each of neighbors.rows is

    Rows of one pack are of one size, so they go by their number of neighbors.
    """
    counts = np.diff(neighbors.starts)[rows]
    for count in np.unique(counts):
        same = rows[counts == count]
        places = neighbors.starts[same][:, np.newaxis] + np.arange(count)
        columns = (
            np.full(len(same), model_id, "i4"),
            row_nos[same].astype("i4"),
            member_nos[neighbors.rows[places]].astype("i4"),
            neighbors.similarities[places],
        )
        yield binary_copy.rows(columns)


def user_vector_rows(
    model_id: int,
    user_nos: np.ndarray,
    rows: np.ndarray,
    tag_preferences: list[str],
    compensation: np.ndarray,
    activity: np.ndarray,
    vectors: np.ndarray,
) -> Iterator[bytes]:
    """COPY rows of ml.user_vectors: these rows of the columns, each in the order of user_nos."""
    model = binary_copy.int4(model_id)
    for place in rows.tolist():
        yield binary_copy.row(
            (
                model,
                binary_copy.int4(user_nos[place]),
                binary_copy.jsonb(tag_preferences[place]),
                binary_copy.float8(compensation[place]),
                binary_copy.float8(activity[place]),
                binary_copy.real_array(vectors[place]),
            )
        )


class _CatchingUp:
    """Brings a model up to what changed since the last time, or since the training read."""

    def __init__(
        self,
        model: Model,
        projection: Projection,
        trained_users: np.ndarray,
        posters: dict[str, float],
        snapshot_xmin: str,
    ) -> None:
        self.model = model
        self.projection = projection
        self.users = trained_users
        self.posters = posters
        self.snapshot_xmin = snapshot_xmin
        self.counts = {"listings_caught_up": 0, "users_left_out": 0}

    def run(self) -> int:
        """Catches up once; returns the number of listings that had changed."""
        database = self.model.database
        # Taken before the rows are read, so what it misses is read again next time.
        xmin = row(database, "select pg_snapshot_xmin(pg_current_snapshot())::text as xmin")["xmin"]
        self._leave_out_users()
        changed = self._changed_listings()
        for first in range(0, len(changed), self.model.rows_per_step):
            self._write(changed[first : first + self.model.rows_per_step])
            database.tick()
        self.snapshot_xmin = xmin
        self.counts["listings_caught_up"] += len(changed)
        return len(changed)

    def _leave_out_users(self) -> None:
        """Users who went, or whose personalization is off now, are in no part of the model."""
        database = self.model.database
        eligible = read_eligible_users(database)
        gone = np.setdiff1d(self.users, eligible, assume_unique=True)
        if len(gone):
            database.run("select ml.forget_user(variadic $1::integer[])", gone.tolist())
            self.users = np.setdiff1d(self.users, gone, assume_unique=True)
            self.counts["users_left_out"] += len(gone)

    def _changed_listings(self) -> np.ndarray:
        database = self.model.database
        posters = read_posters(database)
        moved = [uid for uid, score in posters.items() if self.posters.get(uid) != score]
        self.posters = posters
        skipped = sorted(self.model.skipped_listings)
        return integers(row(database, CHANGED_LISTINGS, self.snapshot_xmin, moved, skipped)["nos"])

    def _write(self, listing_nos: np.ndarray) -> None:
        database = self.model.database
        database.run(
            """
            delete from ml.listing_vectors as v
            where v.model_id = $1::integer and v.listing_no = any($2::integer[])
            """,
            self.model.model_id,
            listing_nos.tolist(),
        )
        facts = read_listings_by_no(database, listing_nos.tolist())
        self.model._load_listing_vectors(facts.listing_nos, self.projection.listing_vectors(facts))
