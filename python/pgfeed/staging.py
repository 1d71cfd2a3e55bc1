"""From staged rows to the tables: the way that every bulk load takes.

A writer stages rows (only_load, then COPY into the temporary tables of load_sql/stage.sql),
asks for problems, and merges: one transaction, so that all of it is there or nothing. The
statements are the files of load_sql/, in the order in which merge() runs them.

Everything goes through the parent tables, so that triggers count it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.resources import files
from typing import Any

import psycopg

from pgfeed.csv_layout import POSTER_RATING_COUNT
from pgfeed.progress import Stages

SLICE_ROWS = 500_000
"""Rows a statement: enough to be fast, few enough for the triggers' sorts to stay in memory."""


class LoadRefused(Exception):
    """Why nothing was loaded, in a sentence."""


def statement(name: str) -> str:
    """The text of load_sql/<name>.sql."""
    return files("pgfeed").joinpath("load_sql", f"{name}.sql").read_text(encoding="utf-8")


@contextmanager
def only_load(connection: psycopg.Connection) -> Iterator[None]:
    """Makes the staging tables, and keeps other loads out for as long as it lasts.

    The connection must be in autocommit mode: staging holds no transaction open.
    Raises LoadRefused if another load runs, or if the database user may not load.
    """
    is_allowed = connection.execute("select pg_has_role('feed_owner', 'member')").fetchone()
    if not is_allowed[0]:
        raise LoadRefused("the database user may not load: it is no member of feed_owner")
    key = "hashtextextended('pgfeed load', 0)"
    lock = connection.execute(f"select pg_try_advisory_lock({key})").fetchone()
    if not lock[0]:
        raise LoadRefused("another load is running: wait until it is done")
    try:
        _make_staging_tables(connection)
        yield
    finally:
        if not connection.broken:
            connection.execute(f"select pg_advisory_unlock({key})")


def _make_staging_tables(connection: psycopg.Connection) -> None:
    connection.execute(
        """
        select
            set_config('work_mem', '128MB', false),
            set_config('temp_buffers', '64MB', false),
            set_config('jit', 'off', false),
            set_config('timezone', 'UTC', false),
            set_config('statement_timeout', '0', false),
            set_config('client_min_messages', 'warning', false)
        """
    )
    connection.execute(statement("stage"))


def set_shift(
    connection: psycopg.Connection, is_shifted: bool, by: timedelta | None = None
) -> tuple[timedelta, bool]:
    """Decides by how much all times move, and whether that was known from an earlier load.

    Without `by` the newest interaction moves to now. What was loaded before keeps its times,
    and the rest of the same data moves with it; so loading twice changes nothing, whenever
    that is.
    """
    connection.execute("create index on staged_interactions (created_at)")
    connection.execute("analyze staged_users, staged_posters, staged_listings")
    connection.execute("analyze staged_interactions, staged_impressions, staged_user_tags")
    known = connection.execute(statement("known_shift")).fetchone()
    if known is not None:
        shift = known[0]
    elif is_shifted and by is not None:
        shift = by
    elif is_shifted:
        shift = connection.execute(
            """
            select date_trunc('second', clock_timestamp()) - coalesce(
                (select max(i.created_at) from staged_interactions as i),
                (select max(l.created_at) from staged_listings as l),
                clock_timestamp()
            )
            """
        ).fetchone()[0]
    else:
        shift = timedelta(0)
    connection.execute("insert into staged_clock (shift) values (%s)", [shift])
    return shift, known is not None


def problems(connection: psycopg.Connection) -> tuple[list[tuple[str, int, str]], int]:
    """The first problems between the rows, as (table, line, reason), and how many in all."""
    rows = connection.execute(statement("check")).fetchall()
    return [row[:3] for row in rows], rows[0][3] if rows else 0


def merge(connection: psycopg.Connection, stages: Stages) -> dict[str, int]:
    """Everything staged into the tables, in one transaction; how many rows were new or changed.

    Partitions are made before, in a transaction of their own: an empty month is nothing that
    anybody sees, and making it must not hold up others for as long as the load takes.
    """
    merging = _Merge(connection, stages)
    with connection.transaction():
        connection.execute("set local role feed_owner")
        connection.execute(statement("ensure_partitions"))
    try:
        with connection.transaction():
            merging.run()
    except (psycopg.errors.IntegrityError, psycopg.errors.DataError) as error:
        if not error.sqlstate:
            raise
        detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
        raise LoadRefused(
            f"the database refuses a row: {error.diag.message_primary}{detail}"
        ) from None
    with stages.stage("statistics"):
        for table in WRITTEN_TABLES:
            connection.execute(f"analyze feed.{table}")
    with stages.stage("packing listings"):
        # Until then every feed would read all of them beside the blocks.
        connection.execute("select feed.fold_changes()")
    return merging.counts


WRITTEN_TABLES = (
    "users",
    "user_feed_preferences",
    "posters",
    "listings",
    "user_interactions",
    "feed_impressions",
    "interaction_keys",
    "user_listing_states",
    "engagement_metrics",
)


class _Merge:
    """The statements of one merge, in order, inside the caller's transaction."""

    def __init__(self, connection: psycopg.Connection, stages: Stages) -> None:
        self._connection = connection
        self._stages = stages
        self.counts: dict[str, int] = {}

    def run(self) -> None:
        self._connection.execute(statement("state_posters"), {"rating_count": POSTER_RATING_COUNT})
        self._connection.execute("grant select on stated_posters to feed_owner")
        self._connection.execute("set local role feed_owner")
        with self._stages.stage("waiting for other writers"):
            self._execute("lock_tables")
        with self._stages.stage("users and preferences"):
            self._execute("update_users", "users changed")
            self._execute("insert_users", "users")
            self._execute("update_preferences", "preferences changed")
            self._execute("insert_preferences", "preferences")
            self._execute("fill_preferred_tags", "preferences")
        with self._stages.stage("posters"):
            self._execute("update_posters", "posters changed")
            self._execute("insert_posters", "posters")
        self._merge_listings()
        self._merge_interactions()

    def _merge_listings(self) -> None:
        last_line = self._scalar("select coalesce(max(s.line), 0) from staged_listings as s")
        with self._stages.stage("listings", last_line or 1) as advance:
            self._execute("update_listings", "listings changed")
            for after in range(0, last_line, SLICE_ROWS):
                bounds = {"after_line": after, "to_line": after + SLICE_ROWS}
                self._execute("insert_listings", "listings", bounds)
                advance(SLICE_ROWS)

    def _merge_interactions(self) -> None:
        with self._stages.stage("interactions known already"):
            self._execute("drop_known_interactions", "interactions known already")
        slices = self._connection.execute(
            statement("time_slices"), {"slice_rows": SLICE_ROWS}
        ).fetchall()
        with (
            self._stages.stage("interactions", len(slices) or 1) as advance,
            self._row_checks_at_once(),
        ):
            for after, until in slices:
                bounds = {"after": after, "until": until}
                self._execute("insert_interactions", "interactions", bounds)
                advance(1)
            self._execute("ensure_profiles")
            self._execute("drop_known_impressions")
            self._execute("insert_impressions", "impressions")
            self._execute("mark_stale_days")

    @contextmanager
    def _row_checks_at_once(self) -> Iterator[None]:
        """Foreign keys are checked for all interactions together, not a row at a time.

        Only a superuser may switch off the checks by row; for others they stay on.
        """
        if self._scalar(statement("check_references")):
            raise LoadRefused("users or listings went while they were being loaded: try again")
        is_superuser = self._scalar(
            "select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user"
        )
        if not is_superuser:
            yield
            return
        self._execute_as_login("disable_row_checks")
        yield
        self._execute_as_login("enable_row_checks")

    def _execute_as_login(self, name: str) -> None:
        self._connection.execute("reset role")
        self._execute(name)
        self._connection.execute("set local role feed_owner")

    def _execute(
        self, name: str, counted_as: str | None = None, parameters: dict[str, Any] | None = None
    ) -> None:
        cursor = self._connection.execute(statement(name), parameters)
        if counted_as:
            self.counts[counted_as] = self.counts.get(counted_as, 0) + cursor.rowcount

    def _scalar(self, query: str) -> Any:
        return self._connection.execute(query).fetchone()[0]
