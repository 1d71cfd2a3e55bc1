"""A ranking profile from what users chose of what they were shown: jobs.fit_profile.

Components were logged as the row was served, so nothing that came later is in them. What stood
higher was looked at more: positions have an effect of their own, in fitting and in judging alike.

The last days are held out. What was learned before them is written if users' choices in them are
likelier under it than under every profile that is there to be beaten, by more than the interval.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pgfeed.binary_copy import read_real_arrays
from pgfeed.database import Database, row
from pgfeed.evaluation.metrics import Estimate, estimate, resamples
from pgfeed.fit.trials import HELD, by_user, learn
from pgfeed.fit.weights import Examples, Tick, Unlearnable, fit, likelihood, rounded
from pgfeed.fit.writing import insert
from pgfeed.reading import integers

DAY = 86_400_000_000
"""Microseconds: a period of the cross-validation."""

LEAST_KNOWN = 0.5
"""A component that is known of a smaller share of the impressions is left out."""

PARAMETERS = """
select
    p.impression_limit,
    p.least_user_count,
    p.trial_count,
    p.random_seed,
    ($1::timestamptz - p.fit_window)::text as from_time,
    extract(epoch from $1::timestamptz - p.held_out_window)::double precision as held_out_from,
    to_char($1::timestamptz at time zone 'UTC', '"learned_"YYYYMMDD') as profile_name,
    array_to_string(feed.component_names(), ' ') as components
from ml.fit_parameters as p
"""

# default, and what was learned last: a profile that is no better is one too many.
OPPONENTS = """
select p.profile_name, to_jsonb(p)::text as profile
from feed.ranking_profiles as p
where
    p.profile_name = 'default'
    or p.profile_name = (
        select l.profile_name
        from feed.ranking_profiles as l
        where l.evaluation is not null and l.is_offered
        order by l.created_at desc, l.profile_name desc
        limit 1
    )
order by p.profile_name
"""

IMPRESSIONS = """
select
    count(*) as impressions,
    string_agg(int4send(i.user_no), ''::bytea) as user_nos,
    string_agg(timestamptz_send(i.shown_at), ''::bytea) as shown_at,
    string_agg(int4send(i.shown_position), ''::bytea) as positions,
    string_agg(array_send(i.components), ''::bytea) as components,
    string_agg(boolsend(i.is_chosen), ''::bytea) as is_chosen
from feed.impression_choices($1::timestamptz, $2::timestamptz, $3::integer) as i
"""

# A second one of a day has a number.
FREE_NAME = """
select min(c.name) as name
from (
    select $1::text || case when t > 1 then '_' || to_char(t, 'FM0000') else '' end as name
    from generate_series(1, 9999) as t
) as c
where not exists (select from feed.ranking_profiles as k where k.profile_name = c.name)
"""


@dataclass(frozen=True)
class Shown:
    """Impressions, a page after the other.

    examples: groups are pages, periods days; components that are not used are 0 throughout
    shown_at: (groups,) microseconds since 2000
    names, is_used: of the components
    impressions: how many were read
    """

    examples: Examples
    shown_at: np.ndarray
    names: list[str]
    is_used: np.ndarray
    impressions: int


@dataclass(frozen=True)
class Judged:
    """Against one opponent: mean over users of the mean log-likelihood of a choice."""

    opponent: Estimate
    learned: Estimate
    difference: Estimate


def fit_profile(database: Database, as_of: str) -> tuple[int, dict[str, Any]]:
    """Profiles written, 1 or 0, and details for jobs.runs.

    as_of: a timestamptz as text
    """
    parameters = row(database, PARAMETERS, as_of)
    opponents = {
        found["profile_name"]: json.loads(found["profile"]) for found in database.rows(OPPONENTS)
    }
    shown = read(database, parameters, as_of)
    database.commit()
    details: dict[str, Any] = {"impressions": shown.impressions, "pages": len(shown.examples)}
    try:
        weights, judged, facts = fit_and_judge(
            shown,
            {name: weights_of(profile, shown.names) for name, profile in opponents.items()},
            held_out_from(parameters["held_out_from"]),
            parameters,
            database.tick,
        )
    except Unlearnable as reason:
        return 0, details | {"profile_name": None, "because": str(reason)}
    details |= facts
    lost = [name for name, one in judged.items() if not one.difference.low > 0]
    evaluation = {
        "source": "impressions",
        "from": parameters["from_time"],
        "to": as_of,
        **details,
        "log_likelihood": {name: _written(one) for name, one in judged.items()},
    }
    if lost:
        because = f"on the held-out days it is not better than {' and '.join(lost)}"
        return 0, evaluation | {"profile_name": None, "because": because}
    name = row(database, FREE_NAME, parameters["profile_name"])["name"]
    learned = dict(zip(shown.names, weights, strict=True))
    insert(database, name, learned, {}, evaluation, is_offered=True)
    return 1, evaluation | {"profile_name": name}


def read(database: Database, parameters: Mapping[str, Any], as_of: str) -> Shown:
    """The impressions that the parameters name."""
    found = row(
        database, IMPRESSIONS, parameters["from_time"], as_of, parameters["impression_limit"]
    )
    names = parameters["components"].split()
    count = found["impressions"]
    values = (
        read_real_arrays(found["components"], count) if count else np.empty((0, len(names)), "f4")
    )
    return pages(
        integers(found["user_nos"]),
        integers(found["shown_at"], ">i8"),
        integers(found["positions"]),
        values,
        np.frombuffer(found["is_chosen"] or b"", bool),
        names,
    )


def pages(
    user: np.ndarray,
    shown_at: np.ndarray,
    position: np.ndarray,
    values: np.ndarray,
    is_chosen: np.ndarray,
    names: list[str],
) -> Shown:
    """Rows that were shown to a user at one moment are a page.

    user, shown_at, position, is_chosen: (n,), in any order
    values: (n, components) NaN where one is not known

    A component of which too little is known is not used; of the others a row must have all.
    """
    is_known = ~np.isnan(values)
    is_used = is_known.mean(axis=0) >= LEAST_KNOWN if len(values) else np.zeros(len(names), bool)
    kept = np.flatnonzero(is_known[:, is_used].all(axis=1))
    order = kept[np.lexsort((position[kept], shown_at[kept], user[kept]))]
    user, shown_at, position = user[order], shown_at[order], position[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (user[1:] != user[:-1]) | (shown_at[1:] != shown_at[:-1])
    first = np.flatnonzero(is_new)
    examples = Examples(
        starts=np.append(first, len(order)).astype(np.int64),
        values=np.where(is_used, values[order], 0).astype(np.float32),
        is_positive=is_chosen[order],
        user=user[first],
        period=shown_at[first] // DAY,
        position=position,
    )
    return Shown(examples, shown_at[first], names, is_used, len(values))


def fit_and_judge(
    shown: Shown,
    opponents: Mapping[str, np.ndarray],
    held_out: int,
    parameters: Mapping[str, Any],
    tick: Tick,
) -> tuple[list[Any], dict[str, Judged], dict[str, Any]]:
    """Weights learned before held_out, judged from then on, and what they were learned from.

    opponents: weights by name, `default` among them
    held_out: microseconds since 2000

    Raises Unlearnable with the reason if there is too little, or nothing to be learned.
    """
    usable = shown.examples.usable()
    is_held = shown.shown_at > held_out
    early, late = np.flatnonzero(usable & ~is_held), np.flatnonzero(usable & is_held)
    facts = {
        "fitted_pages": len(early),
        "fitted_users": len(np.unique(shown.examples.user[early])),
        "held_out_pages": len(late),
        "held_out_users": len(np.unique(shown.examples.user[late])),
        "not_used": [
            name for name, used in zip(shown.names, shown.is_used, strict=True) if not used
        ],
    }
    least = parameters["least_user_count"]
    if min(facts["fitted_users"], facts["held_out_users"]) < least:
        raise Unlearnable(
            f"{facts['fitted_users']} users chose something before the held-out days and"
            f" {facts['held_out_users']} in them, and {least} are asked for each"
        )
    # What a profile weighs and impressions do not say, it cannot be judged by.
    fair = {
        name: weights for name, weights in opponents.items() if not weights[~shown.is_used].any()
    }
    if "default" not in fair:
        raise Unlearnable("impressions do not say enough of what default weighs")
    train, test = shown.examples.taken(early), shown.examples.taken(late)
    learned = learn(
        train,
        fair["default"],
        trials=parameters["trial_count"],
        seed=parameters["random_seed"],
        tick=tick,
    )
    facts["ridge"] = learned.ridge
    if learned.ridge is None:
        raise Unlearnable("fitted on earlier days, no weights were better on later ones")
    weights = rounded(learned.weights)
    # As the table will hold them: that is what is judged.
    ours = _likelihood(train, test, np.array([float(weight) for weight in weights]), tick)
    draws = resamples(len(ours), parameters["random_seed"])
    judged = {}
    for name, opponent in fair.items():
        theirs = _likelihood(train, test, opponent, tick)
        judged[name] = Judged(
            estimate(theirs, draws), estimate(ours, draws), estimate(ours - theirs, draws)
        )
    return weights, judged, facts


def weights_of(profile: Mapping[str, Any], names: Sequence[str]) -> np.ndarray:
    """(components,) of sum 1."""
    return np.array([float(profile[f"{name}_weight"]) for name in names])


def held_out_from(epoch_seconds: float) -> int:
    """PostgreSQL's timestamps count from 2000."""
    return round((epoch_seconds - 946_684_800) * 1e6)


def _likelihood(train: Examples, test: Examples, weights: np.ndarray, tick: Tick) -> np.ndarray:
    """(users,) how likely choices were: the scale and the effects of positions are from before."""
    groups = np.arange(len(train))
    held = fit(train, groups, weights, HELD, np.random.default_rng(0), tick)
    found = likelihood(test, np.arange(len(test)), replace(held, weights=weights))
    return by_user(found, test.user)


def _written(judged: Judged) -> dict[str, Any]:
    return {
        "opponent": round(judged.opponent.value, 6),
        "learned": round(judged.learned.value, 6),
        **{name: round(getattr(judged.difference, name), 6) for name in ("value", "low", "high")},
    }
