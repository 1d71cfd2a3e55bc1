"""The row of feed.ranking_profiles that fitting writes: weights, parameters, evaluation.

A new row, with all else as `default` has it. It is offered only if on later data it was above
default in NDCG@10 by more than the interval.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import psycopg

from pgfeed.components import COMPONENTS
from pgfeed.fit.trials import Learned
from pgfeed.fit.weights import rounded
from pgfeed.fit.writing import insert
from pgfeed.outside import OutsideDatabase

DEFAULT = "default"
SMALLEST_WEIGHT = 0.005
PROFILE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


class Unwritable(Exception):
    """Why a profile cannot be written, in a sentence."""


@dataclass(frozen=True)
class Profile:
    """What is written.

    weights: by component, of sum exactly 1
    parameters: recency_half_life in days, location_decay_km
    """

    weights: dict[str, Decimal]
    parameters: dict[str, float]

    def array(self) -> np.ndarray:
        """(components,) float64 weights."""
        return np.array([float(self.weights[name]) for name in COMPONENTS])


def of(weights: np.ndarray, parameters: Mapping[str, float]) -> Profile:
    """Weights rounded to what the table holds."""
    return Profile(dict(zip(COMPONENTS, rounded(weights), strict=True)), dict(parameters))


def averaged(found: Sequence[Learned]) -> Profile:
    """The mean of what several seeds learned: luck in one of them counts for less.

    Parameters are averaged in the logarithm and rounded to three digits. A weight of less than
    SMALLEST_WEIGHT becomes 0: its component would be computed for nothing.
    """
    weights = np.mean([learned.weights for learned in found], axis=0)
    weights = np.where(weights < SMALLEST_WEIGHT, 0, weights)
    parameters = {
        name: float(f"{np.exp(np.mean([np.log(one.parameters[name]) for one in found])):.3g}")
        for name in found[0].parameters
    }
    return of(weights, parameters)


def check(connection: psycopg.Connection, name: str) -> None:
    """Raises Unwritable if this profile could not be written."""
    if not PROFILE_NAME.fullmatch(name):
        raise Unwritable(
            f"{name!r} is no name for a profile: a letter, then at most 62 letters, digits, _ or -,"
            " all in lower case"
        )
    if name == DEFAULT:
        raise Unwritable("'default' is made by hand; choose another name")
    known = connection.execute(
        """
        select
            exists (
                select from pg_catalog.pg_attribute as a
                where a.attrelid = to_regclass('feed.ranking_profiles')
                    and a.attname = 'evaluation'
            )
        """
    ).fetchone()[0]
    if not known:
        raise Unwritable("the database has no feed.ranking_profiles.evaluation: bin/deploy")
    user, allowed = connection.execute(
        """
        select
            current_user,
            has_table_privilege('feed.ranking_profiles', 'select')
            and has_table_privilege('feed.ranking_profiles', 'insert')
        """
    ).fetchone()
    if not allowed:
        raise Unwritable(f"{user} may not write to feed.ranking_profiles")
    exists = connection.execute(
        "select exists (select from feed.ranking_profiles as p where p.profile_name = %s)", (name,)
    ).fetchone()[0]
    if exists:
        raise Unwritable(f"there is a profile {name!r} already; choose another name")


def write(
    connection: psycopg.Connection,
    name: str,
    profile: Profile,
    evaluation: Mapping[str, Any],
    is_offered: bool,
) -> None:
    """Inserts the row. Raises Unwritable if it has come meanwhile."""
    parameters = {
        parameter: f"{value:g} days" if parameter == "recency_half_life" else value
        for parameter, value in profile.parameters.items()
    }
    try:
        insert(
            OutsideDatabase(connection), name, profile.weights, parameters, evaluation, is_offered
        )
    except psycopg.errors.UniqueViolation:
        raise Unwritable(f"there is a profile {name!r} already; choose another name") from None
