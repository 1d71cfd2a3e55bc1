"""The daily training: reads, computes, publishes. Runs in the server and outside alike.

In the server jobs.train_models() calls it through ml.train; outside `pgfeed train --dsn`
does. Both see one moment of the data (one repeatable read transaction), and both may be
killed at any point: the former model stays in force, and the next training sweeps up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import numpy as np

from pgfeed.database import Database
from pgfeed.item_similarity import ItemParameters, ItemSimilarity, latest_choices
from pgfeed.listing_facts import ListingFacts
from pgfeed.preferences import preferences
from pgfeed.projection import Projection
from pgfeed.publishing import Model, delete_other_models
from pgfeed.reading import (
    Histories,
    Settings,
    read_eligible_users,
    read_histories,
    read_is_open,
    read_listings,
    read_posters,
    read_settings,
)
from pgfeed.similarity import Neighbors, interest_matrix, leave_out, nearest_users
from pgfeed.vectors import VectorParameters, fit_projection

Parameters = TypeVar("Parameters", ItemParameters, VectorParameters)


@dataclass(frozen=True)
class Trained:
    """What a training did: rows written, and details for jobs.runs."""

    model_id: int
    rows: int
    details: dict[str, Any]


@dataclass(frozen=True)
class World:
    """Everything that was read, of one moment."""

    settings: Settings
    user_nos: np.ndarray
    facts: ListingFacts
    is_open: np.ndarray
    posters: dict[str, float]
    histories: Histories


Advance = Callable[[float], object]


class Stages(Protocol):
    """Announces the stages of the training; pgfeed.progress.Stages is one."""

    seconds: dict[str, float]

    def stage(self, name: str, total: float | None = None) -> AbstractContextManager[Advance]:
        """A stage; how long it took is in seconds[name] afterwards.

        Yields what tells it how much of `total` was done since.
        """


class Stopwatch:
    """Stages that nobody watches."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, total: float | None = None) -> Iterator[Advance]:
        begun = time.monotonic()
        yield lambda amount: None
        self.seconds[name] = time.monotonic() - begun


# Parts of the users (rows, ascending) with their neighbors; each user with neighbors once.
FoundNeighbors = Iterator[tuple[np.ndarray, Neighbors]]
Similarity = Callable[[Database, World, Stages], FoundNeighbors]


def train(
    database: Database, as_of: str, stages: Stages, similarity: Similarity | None = None
) -> Trained:
    """Trains and publishes a model.

    as_of: a timestamptz as text, 'now' for one; interactions after it are not seen
    similarity: what finds similar users, similarity_here if nothing else

    Raises TimeoutError if the model could not be published, whatever the database raises,
    and what a cancel request raises at a tick. The former model then stays in force.
    """
    with stages.stage("read"):
        world = _read(database, as_of)
    settings = world.settings

    with stages.stage("clean up"):
        delete_other_models(database, settings.rows_per_step)
        model = Model(database, settings.clock, settings.parameters, settings.rows_per_step)

    found = (similarity or similarity_here)(database, world, stages)
    users_with_neighbors = 0
    with stages.stage("publish neighbors"):
        for users, neighbors in found:
            model.write_neighbors(world.user_nos, users, neighbors)
            users_with_neighbors += int(np.count_nonzero(np.diff(neighbors.starts)))
            del neighbors

    with stages.stage("listing neighbors"):
        listings_with_neighbors = _write_listing_neighbors(database, model, world)

    with stages.stage("fit vectors"):
        projection = fit_projection(world.facts, _of(VectorParameters, settings), database.tick)
        model.write_projection(projection)
    with stages.stage("listing vectors"):
        vectors = _listing_vectors(database, world.facts, projection, settings.rows_per_step)
        model.write_listing_vectors(world.facts.listing_nos, vectors)
    with stages.stage("user vectors"):
        _write_user_vectors(database, model, world, vectors)

    with stages.stage("publish"):
        caught_up = model.publish(
            projection,
            world.user_nos,
            world.posters,
            settings.snapshot_xmin,
            timedelta(seconds=settings.publish_lock_wait_seconds),
            settings.publish_lock_attempts,
        )
    with stages.stage("delete the former model"):
        delete_other_models(database, settings.rows_per_step)

    details = {
        "model_id": model.model_id,
        "users": len(world.user_nos),
        "users_with_neighbors": users_with_neighbors,
        "listings": len(world.facts),
        "listings_with_neighbors": listings_with_neighbors,
        "pairs": len(world.histories.users),
        "tags": len(projection.vocabulary),
        "dimensions": projection.dimensions,
        **caught_up,
        "seconds": {name: round(seconds, 3) for name, seconds in stages.seconds.items()},
    }
    return Trained(model.model_id, model.rows_written, details)


def _read(database: Database, as_of: str) -> World:
    database.begin_snapshot()
    settings = read_settings(database, as_of)
    user_nos = read_eligible_users(database)
    facts = read_listings(database, settings.pages_per_read)
    is_open = read_is_open(database, settings, facts.listing_nos)
    posters = read_posters(database)
    histories = read_histories(database, settings, user_nos, facts.listing_nos)
    database.commit()
    return World(settings, user_nos, facts, is_open, posters, histories)


def similarity_here(database: Database, world: World, stages: Stages) -> FoundNeighbors:
    """In this process, all at once."""
    with stages.stage("similarity"):
        neighbors = _neighbors(database, world)
    return iter([(np.arange(len(world.user_nos)), neighbors)])


def _neighbors(database: Database, world: World) -> Neighbors:
    import scipy.sparse  # noqa: F401  # Half a second by itself: ahead of the first step.

    database.tick()
    histories, settings = world.histories, world.settings
    matrix = interest_matrix(
        histories.users,
        histories.listings,
        histories.interest,
        (len(world.user_nos), len(world.facts)),
    )
    database.tick()
    matrix = leave_out(matrix, settings.listing_user_limit, settings.user_pair_minimum)
    database.tick()
    return nearest_users(
        matrix,
        settings.neighbor_count,
        threads=settings.thread_count,
        products_per_step=settings.products_per_step,
        tick=database.tick,
    )


def _write_listing_neighbors(database: Database, model: Model, world: World) -> int:
    """Computes and writes in steps: all neighbors of all listings would not fit in memory."""
    histories, settings = world.histories, world.settings
    parameters = _of(ItemParameters, settings)
    if not parameters.listing_neighbor_count:
        return 0
    chosen = np.flatnonzero(histories.interest > 0)
    latest = chosen[
        latest_choices(
            histories.users[chosen], histories.ages[chosen], parameters.listing_history_limit
        )
    ]
    database.tick()
    similarity = ItemSimilarity(
        histories.users[latest],
        histories.listings[latest],
        histories.interest[latest],
        world.is_open,
        parameters,
        n_users=len(world.user_nos),
        threads=settings.thread_count,
        products_per_step=settings.products_per_step,
        seed=settings.random_seed,
        tick=database.tick,
    )
    written = 0
    for sources, neighbors in similarity.steps(settings.rows_per_step):
        written += model.write_listing_neighbors(world.facts.listing_nos, sources, neighbors)
    return written


def _listing_vectors(
    database: Database, facts: ListingFacts, projection: Projection, rows_per_step: int
) -> np.ndarray:
    """(n_listings, dimensions) float32, made in steps to bound memory."""
    vectors = np.empty((len(facts), projection.dimensions), np.float32)
    for first in range(0, len(facts), rows_per_step):
        last = min(first + rows_per_step, len(facts))
        vectors[first:last] = projection.listing_vectors(facts.part(first, last))
        database.tick()
    return vectors


def _write_user_vectors(
    database: Database, model: Model, world: World, vectors: np.ndarray
) -> None:
    from scipy import sparse

    histories, settings = world.histories, world.settings
    weights = sparse.csr_matrix(
        (histories.weights, (histories.users, histories.listings)),
        shape=(len(world.user_nos), len(world.facts)),
    )
    database.tick()
    steps = preferences(
        weights,
        world.facts,
        vectors,
        tag_limit=settings.preference_tag_limit,
        rows_per_step=max(1, settings.rows_per_step // 20),
        tick=database.tick,
    )
    for first, part in steps:
        users = slice(first, first + len(part.tag_preferences))
        model.write_user_vectors(
            world.user_nos[users],
            part.tag_preferences,
            part.compensation,
            histories.activity[users],
            part.feature_vectors,
        )
        database.tick()


def _of(kind: type[Parameters], settings: Settings) -> Parameters:
    """The columns of ml.training_parameters that a dataclass names."""
    return kind(**{column.name: settings.parameters[column.name] for column in fields(kind)})
