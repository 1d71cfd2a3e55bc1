"""Between two trainings: users whom the model in force does not know get what it has of others.

What they get is what a training on the same data would give them: the same cosines over the
same window with everybody who chose what they chose, and vectors by the model's own
projection, all with the parameters that the model was trained with. The lists of others stay
as they are until the next training.

In the server jobs.update_models() calls it through ml.update; outside `pgfeed train --update`
does. A daily training may run beside it: what is written goes into the model in force, and
not at all if that is another one by then.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgfeed import binary_copy
from pgfeed.database import Database, row
from pgfeed.preferences import Preferences, preferences
from pgfeed.publishing import lock_those_there, neighbor_rows, user_vector_rows
from pgfeed.reading import (
    Histories,
    Settings,
    places,
    read_eligible_users,
    read_histories_of_users,
    read_lengths,
    read_listings_by_no,
    read_model,
    read_projection,
    read_settings,
    read_users_to_update,
    read_who_chose,
)
from pgfeed.similarity import Neighbors, interest_matrix, leave_out, nearest_users
from pgfeed.training import Stages

# Parameters of how, not of what: these hold as they are now.
OPERATIONAL = (
    "thread_count",
    "products_per_step",
    "rows_per_step",
    "pages_per_read",
    "update_user_limit",
    "update_growth",
)

# Users written a transaction. Each holds the row of every neighbor that it names.
USERS_PER_STEP = 500


@dataclass(frozen=True)
class Updated:
    """What an update did: rows written, and details for jobs.runs."""

    rows: int
    details: dict[str, Any]


@dataclass(frozen=True)
class _Known:
    """What is to be written about users: user_nos (n,), and one row each of the rest.

    neighbors: their rows are places in member_nos (m,)
    """

    user_nos: np.ndarray
    histories: Histories
    preferences: Preferences
    member_nos: np.ndarray
    neighbors: Neighbors


def update(database: Database, as_of: str, stages: Stages) -> Updated:
    """Writes users without vectors, and those who did much lately, into the model in force.

    as_of: a timestamptz as text, 'now' for one; interactions after it are not seen

    Raises whatever the database raises, and what a cancel request raises at a tick. What was
    committed by then is right, and the next update goes on from there.
    """
    with stages.stage("choose users"):
        database.begin_snapshot()
        found = read_model(database)
        if found is None:
            database.commit()
            return Updated(0, {"users": 0})
        model_id, trained_with = found
        trained_with = {key: trained_with[key] for key in trained_with.keys() - OPERATIONAL}
        settings = read_settings(database, as_of, json.dumps(trained_with))
        user_nos, wanted_count = read_users_to_update(database, settings, model_id)
        if not len(user_nos):
            database.commit()
            return Updated(0, {"model_id": model_id, "users": 0})

    with stages.stage("similarity"):
        listing_nos, histories = read_histories_of_users(database, settings, user_nos)
        member_nos, neighbors = _neighbors(database, settings, user_nos, listing_nos, histories)
    with stages.stage("user vectors"):
        learned = _preferences(database, settings, model_id, user_nos, listing_nos, histories)
        database.commit()

    with stages.stage("write"):
        written = _write(
            database, model_id, _Known(user_nos, histories, learned, member_nos, neighbors)
        )
    details = {
        "model_id": model_id,
        "users": written,
        "users_waiting": wanted_count - len(user_nos),
        "users_with_neighbors": int(np.count_nonzero(np.diff(neighbors.starts))),
        "seconds": {name: round(seconds, 3) for name, seconds in stages.seconds.items()},
    }
    return Updated(written, details)


def _neighbors(
    database: Database,
    settings: Settings,
    user_nos: np.ndarray,
    listing_nos: np.ndarray,
    histories: Histories,
) -> tuple[np.ndarray, Neighbors]:
    """Everybody with whom the users have a listing in common, and the users' neighbors."""
    liked = np.unique(histories.listings[histories.interest > 0])
    who, what, interest = read_who_chose(database, settings, listing_nos[liked])
    eligible = read_eligible_users(database)
    kept = np.isin(who, eligible)
    who, what, interest = who[kept], what[kept], interest[kept]

    member_nos = np.union1d(who, user_nos).astype("i4")
    lengths, pair_counts = read_lengths(database, settings, member_nos)
    rows, _ = places(member_nos, who)
    columns, _ = places(listing_nos[liked], what)
    matrix = interest_matrix(
        rows, columns, interest, (len(member_nos), len(liked)), np.maximum(lengths, 1e-300)
    )
    matrix = leave_out(matrix, settings.listing_user_limit, settings.user_pair_minimum, pair_counts)
    wanted, _ = places(member_nos, user_nos)
    return member_nos, nearest_users(
        matrix,
        settings.neighbor_count,
        wanted=wanted,
        threads=settings.thread_count,
        products_per_step=settings.products_per_step,
        tick=database.tick,
    )


def _preferences(
    database: Database,
    settings: Settings,
    model_id: int,
    user_nos: np.ndarray,
    listing_nos: np.ndarray,
    histories: Histories,
) -> Preferences:
    from scipy import sparse

    facts = read_listings_by_no(database, listing_nos.tolist()).by_listing_no()
    columns, is_there = places(facts.listing_nos, listing_nos[histories.listings])
    weights = sparse.csr_matrix(
        (histories.weights[is_there], (histories.users[is_there], columns[is_there])),
        shape=(len(user_nos), len(facts)),
    )
    vectors = read_projection(database, model_id).listing_vectors(facts)
    steps = preferences(
        weights,
        facts,
        vectors,
        tag_limit=settings.preference_tag_limit,
        rows_per_step=len(user_nos),
    )
    ((_, learned),) = steps
    return learned


def _write(database: Database, model_id: int, known: _Known) -> int:
    """Replaces the users' rows in steps; returns how many users were written."""
    active = np.flatnonzero(known.histories.activity > 0)
    written = 0
    for first in range(0, len(active), USERS_PER_STEP):
        database.tick()
        step = _write_step(database, model_id, known, active[first : first + USERS_PER_STEP])
        database.commit()
        if step is None:
            break
        written += step
    return written


def _write_step(database: Database, model_id: int, known: _Known, rows: np.ndarray) -> int | None:
    """One transaction's work: the number of users written; None if the model is not in force.

    Everybody who is named is held, so that who is being deleted is either passed over here or
    finds what was written. Deleters take the locks in the same order: the publishing lock, the
    users, the lists.
    """
    current = row(database, "select ml.model_for_writing() as model_id")["model_id"]
    if current != model_id:
        return None
    starts = known.neighbors.starts
    named = np.concatenate(
        [known.user_nos[rows]]
        + [known.member_nos[known.neighbors.rows[starts[at] : starts[at + 1]]] for at in rows]
    )
    there = lock_those_there(database, "users", np.unique(named))
    # Since they were read, somebody may have switched personalization off.
    there = np.intersect1d(there, read_eligible_users(database))
    rows = rows[np.isin(known.user_nos[rows], there)]
    neighbors = known.neighbors.only(np.isin(known.member_nos, there))

    nos = known.user_nos[rows].tolist()
    database.run(
        """
        select from ml.user_neighbors as n
        where n.model_id = $1::integer and n.user_no = any($2::integer[])
        order by n.user_no
        for update
        """,
        model_id,
        nos,
    )
    for relation in ("user_vectors", "user_neighbors"):
        database.run(
            f"delete from ml.{relation} as t"
            " where t.model_id = $1::integer and t.user_no = any($2::integer[])",
            model_id,
            nos,
        )
    learned = known.preferences
    vectors = user_vector_rows(
        model_id,
        known.user_nos,
        rows,
        learned.tag_preferences,
        learned.compensation,
        known.histories.activity,
        learned.feature_vectors,
    )
    database.copy("user_vectors", binary_copy.file(vectors))
    some = rows[np.diff(neighbors.starts)[rows] > 0]
    lists = neighbor_rows(model_id, known.user_nos, known.member_nos, some, neighbors)
    database.copy("user_neighbors", binary_copy.file(lists))
    return len(rows)
