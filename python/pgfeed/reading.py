"""Reads what training needs. numpy only: the trigger path reads listings here too.

Columns come as one bytea each, string_agg(int4send(…)): 10M rows in 2 s, where a cursor
takes 6 s and a result set 4 GB. Tables are read by ranges of pages, in one snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgfeed.binary_copy import read_real_arrays
from pgfeed.database import Database, row
from pgfeed.listing_facts import FactsReader, ListingFacts
from pgfeed.preferences import decay
from pgfeed.projection import Projection

MICROSECONDS = 1e6

PARAMETERS = """
select
    (to_jsonb(p) - 'is_only_row')::text as parameters,
    $1::timestamptz::text as clock,
    extract(epoch from p.preference_half_life)::double precision as half_life_seconds,
    extract(epoch from p.publish_lock_wait)::double precision as publish_lock_wait_seconds,
    timestamptz_send($1::timestamptz) as as_of,
    timestamptz_send($1::timestamptz - p.similarity_window) as window_start,
    pg_snapshot_xmin(pg_current_snapshot())::text as snapshot_xmin
from ml.training_parameters as p
"""

ELIGIBLE_USERS = """
select string_agg(int4send(u.user_no), ''::bytea order by u.user_no) as user_nos
from feed.users as u
left join feed.user_feed_preferences as p using (user_uid)
where coalesce(p.personalization_enabled, true)
"""

STATES = """
select
    string_agg(int4send(s.user_no), ''::bytea) as user_nos,
    string_agg(int4send(s.listing_no), ''::bytea) as listing_nos,
    string_agg(
        int2send(
            case when s.is_dismissed then least(w.weight, 0::smallint) else s.strongest_weight end
        ),
        ''::bytea
    ) as weights,
    string_agg(timestamptz_send(s.last_at), ''::bytea) as last_at,
    string_agg(
        int4send(
            s.view_count + s.click_count + s.apply_count
            + s.save_count + s.share_count + s.dismiss_count
        ),
        ''::bytea
    ) as counts
from feed.user_listing_states as s
cross join feed.interaction_weights as w
where w.type = 'dismiss' and s.ctid >= $1::text::tid and s.ctid < $2::text::tid
"""

FACTS = """
select
    string_agg(int4send(f.listing_no), ''::bytea) as listing_nos,
    json_agg(f.tags)::text as tags,
    json_agg(f.currency)::text as currencies,
    string_agg(float8send(f.latitude), ''::bytea) as latitudes,
    string_agg(float8send(f.longitude), ''::bytea) as longitudes,
    string_agg(float8send(f.compensation), ''::bytea) as compensation,
    string_agg(float8send(f.poster_score), ''::bytea) as poster_scores
from ml.listing_facts as f
"""

# What feed.score_listings may still show to somebody.
OPEN_LISTINGS = """
select string_agg(int4send(l.listing_no), ''::bytea) as listing_nos
from feed.listings as l
where
    l.status = 'open'
    and (l.expires_at is null or l.expires_at > $1::timestamptz)
    and l.ctid >= $2::text::tid
    and l.ctid < $3::text::tid
"""

POSTERS = """
select
    json_agg(p.poster_uid)::text as poster_uids,
    json_agg(p.poster_score)::text as poster_scores
from feed.posters as p
"""

PAGES = """
select (pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint) as pages
"""


@dataclass(frozen=True)
class Settings:
    """The row of ml.training_parameters, and the clock of this training."""

    parameters: dict[str, Any]
    clock: str
    half_life_seconds: float
    publish_lock_wait_seconds: float
    as_of: int
    window_start: int
    snapshot_xmin: str

    def __getattr__(self, name: str) -> Any:
        try:
            return self.parameters[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass(frozen=True)
class Histories:
    """What users with personalization did: one entry a pair of user and listing.

    users, listings: (n_pairs,) int32 rows and columns of the user x listing matrix
    interest: (n_pairs,) float32 in [0, 1], 0 for dismissed and outside the window
    weights: (n_pairs,) float32, decayed, dismissals negative
    ages: (n_pairs,) float32, seconds since the last interaction
    activity: (n_users,) float64, decayed number of interactions
    """

    users: np.ndarray
    listings: np.ndarray
    interest: np.ndarray
    weights: np.ndarray
    ages: np.ndarray
    activity: np.ndarray


def integers(sent: bytes | None, dtype: str = ">i4") -> np.ndarray:
    """(n,) from concatenated int2send, int4send or timestamptz_send."""
    return np.frombuffer(sent or b"", dtype).astype(dtype[1:])


def read_settings(database: Database, as_of: str) -> Settings:
    """as_of: a timestamptz as text."""
    found = dict(row(database, PARAMETERS, as_of))
    (found["as_of"],) = integers(found["as_of"], ">i8").tolist()
    (found["window_start"],) = integers(found["window_start"], ">i8").tolist()
    found["parameters"] = json.loads(found["parameters"])
    return Settings(**found)


def read_eligible_users(database: Database) -> np.ndarray:
    """(n,) int32, ascending: user_no of users with personalization."""
    return integers(row(database, ELIGIBLE_USERS)["user_nos"])


def read_listings(database: Database, pages_per_read: int) -> ListingFacts:
    """All listings by listing_no."""
    reader = FactsReader()
    for first, last in _page_ranges(database, "feed.listings", pages_per_read):
        reader.add(
            row(
                database,
                FACTS + "where f.row_place >= $1::text::tid and f.row_place < $2::text::tid",
                first,
                last,
            )
        )
        database.tick()
    return reader.facts().by_listing_no()


def read_is_open(database: Database, settings: Settings, listing_nos: np.ndarray) -> np.ndarray:
    """(n,) bool: which of the listings (ascending) are open at the clock."""
    is_open = np.zeros(len(listing_nos), bool)
    for first, last in _page_ranges(database, "feed.listings", settings.pages_per_read):
        found = row(database, OPEN_LISTINGS, settings.clock, first, last)
        places, is_listing = _places(listing_nos, integers(found["listing_nos"]))
        is_open[places[is_listing]] = True
        database.tick()
    return is_open


def read_listings_by_no(database: Database, listing_nos: list[int]) -> ListingFacts:
    """Those of the listings that exist."""
    reader = FactsReader()
    reader.add(row(database, FACTS + "where f.listing_no = any($1::integer[])", listing_nos))
    return reader.facts()


def read_posters(database: Database) -> dict[str, float]:
    """poster_uid -> poster_score."""
    found = row(database, POSTERS)
    return dict(
        zip(
            json.loads(found["poster_uids"] or "[]"),
            json.loads(found["poster_scores"] or "[]"),
            strict=True,
        )
    )


def read_histories(
    database: Database, settings: Settings, user_nos: np.ndarray, listing_nos: np.ndarray
) -> Histories:
    """Pairs of the given users and listings (both ascending) up to as_of."""
    parts = [tuple(np.empty(0, dtype) for dtype in ("i4", "i4", "f4", "f4", "f4"))]
    activity = np.zeros(len(user_nos))
    pages = _page_ranges(database, "feed.user_listing_states", settings.pages_per_read)
    for first, last in pages:
        found = row(database, STATES, first, last)
        users, is_user = _places(user_nos, integers(found["user_nos"]))
        listings, is_listing = _places(listing_nos, integers(found["listing_nos"]))
        last_at = integers(found["last_at"], ">i8")
        kept = is_user & is_listing & (last_at <= settings.as_of)
        users, listings, last_at = users[kept], listings[kept], last_at[kept]
        weights = integers(found["weights"], ">i2")[kept].astype(np.float32)
        ages = (settings.as_of - last_at) / MICROSECONDS
        faded = decay(ages, settings.half_life_seconds)
        counts = integers(found["counts"])[kept]
        activity += np.bincount(users, weights=counts * faded, minlength=len(user_nos))
        in_window = last_at > settings.window_start
        interest = np.clip(weights / settings.full_interest_weight, 0, 1) * in_window
        measured = (column.astype(np.float32) for column in (interest, weights * faded, ages))
        parts.append((users, listings, *measured))
        database.tick()
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Histories(*columns, activity)


def read_projection(database: Database, model_id: int) -> Projection:
    """The projection of a model, as published."""
    model = row(
        database,
        """
        select m.parameters::text as parameters
        from ml.models as m
        where m.model_id = $1::integer
        """,
        model_id,
    )
    tags = row(
        database,
        """
        select
            count(*) as tag_count,
            json_agg(p.tag order by p.tag collate "C")::text as tags,
            string_agg(float8send(p.idf), ''::bytea order by p.tag collate "C") as idf,
            string_agg(array_send(p.vector), ''::bytea order by p.tag collate "C") as vectors
        from ml.tag_projections as p
        where p.model_id = $1::integer
        """,
        model_id,
    )
    clusters = row(
        database,
        """
        select
            count(*) as cluster_count,
            string_agg(array_send(c.centre), ''::bytea order by c.cluster_no) as centres
        from ml.location_clusters as c
        where c.model_id = $1::integer
        """,
        model_id,
    )
    return Projection.stored(
        json.loads(model["parameters"]),
        json.loads(tags["tags"] or "[]"),
        np.frombuffer(tags["idf"] or b"", ">f8").astype("f8"),
        read_real_arrays(tags["vectors"], tags["tag_count"]),
        read_real_arrays(clusters["centres"], clusters["cluster_count"]),
    )


def _page_ranges(
    database: Database, relation: str, pages_per_read: int
) -> Iterator[tuple[str, str]]:
    pages = row(database, PAGES, relation)["pages"]
    for first in range(0, pages, pages_per_read):
        yield f"({first},0)", f"({first + pages_per_read},0)"


def _places(known: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each wanted number is among the known, and whether it is."""
    if not len(known):
        return np.zeros(len(wanted), np.int32), np.zeros(len(wanted), bool)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1).astype(np.int32)
    return places, known[places] == wanted
