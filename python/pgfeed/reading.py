"""Reads what training needs. numpy only: the trigger path reads listings here too.

Columns come as one bytea each, string_agg(int4send(…)): 10M rows in 2 s, where a cursor
takes 6 s and a result set 4 GB. Tables are read by ranges of pages, in one snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgfeed.binary_copy import read_real_arrays
from pgfeed.database import Database, row
from pgfeed.listing_facts import FactsReader, ListingFacts
from pgfeed.preferences import decay
from pgfeed.projection import Projection
from pgfeed.similarity import row_lengths

MICROSECONDS = 1e6

# Users or listings whose pairs one statement reads.
NOS_PER_READ = 1000

PARAMETERS = """
select
    (to_jsonb(p) - 'is_only_row')::text as parameters,
    $1::timestamptz::text as clock,
    extract(epoch from p.preference_half_life)::double precision as half_life_seconds,
    extract(epoch from p.publish_lock_wait)::double precision as publish_lock_wait_seconds,
    timestamptz_send($1::timestamptz) as as_of,
    timestamptz_send($1::timestamptz - p.similarity_window) as window_start,
    pg_snapshot_xmin(pg_current_snapshot())::text as snapshot_xmin
from ml.training_parameters as q
cross join jsonb_populate_record(q, $2::text::jsonb) as p
"""

CURRENT_MODEL = """
select
    m.model_id,
    m.details::text as details
from ml.current_model as c
inner join ml.models as m using (model_id)
"""

ELIGIBLE_USERS = """
select string_agg(int4send(u.user_no), ''::bytea order by u.user_no) as user_nos
from feed.users as u
left join feed.user_feed_preferences as p using (user_uid)
where coalesce(p.personalization_enabled, true)
"""

# What was done with a pair counts as its strongest interaction, unless it was dismissed.
PAIRS = """
select
    string_agg(int4send(s.user_no), ''::bytea) as user_nos,
    string_agg(int4send(s.listing_no), ''::bytea) as listing_nos,
    string_agg(
        int2send(
            case when s.is_dismissed then least(w.weight, 0::smallint) else s.strongest_weight end
        ),
        ''::bytea
    ) as weights,
    string_agg(timestamptz_send(s.last_at), ''::bytea) as last_at
    {counts}
from feed.user_listing_states as s
cross join feed.interaction_weights as w
where w.type = 'dismiss' and {condition}
"""

COUNTS = """,
    string_agg(
        int4send(
            s.view_count + s.click_count + s.apply_count
            + s.save_count + s.share_count + s.dismiss_count
        ),
        ''::bytea
    ) as counts
"""

OF_PAGES = "s.ctid >= $1::text::tid and s.ctid < $2::text::tid"
OF_USERS = "s.user_no = any($1::integer[])"
OF_LISTINGS = "s.listing_no = any($1::integer[])"

STATES = PAIRS.format(counts=COUNTS, condition=OF_PAGES)
STATES_OF_USERS = PAIRS.format(counts=COUNTS, condition=OF_USERS)
# Without the counts the key's index alone answers.
PAIRS_OF_USERS = PAIRS.format(counts="", condition=OF_USERS)
PAIRS_OF_LISTINGS = PAIRS.format(counts="", condition=OF_LISTINGS)

# Users of whom the model knows nothing, first; then those who did much in the last day. What
# posters do with their own listings makes no activity: then one is written anew for nothing.
USERS_TO_UPDATE = """
with recent as materialized (
    select
        i.user_uid,
        sum(
            exp(
                -ln(2::double precision)
                * extract(epoch from $2::timestamptz - i.created_at)::double precision
                / $3::double precision
            )
        ) as activity
    from feed.user_interactions as i
    where
        i.created_at > $2::timestamptz - interval '1 day'
        and i.created_at <= $2::timestamptz
    group by i.user_uid
),

wanted as materialized (
    select
        u.user_no,
        v.user_no is null as is_new
    from feed.users as u
    left join feed.user_feed_preferences as p using (user_uid)
    left join ml.user_vectors as v on u.user_no = v.user_no and v.model_id = $1::integer
    left join recent as r using (user_uid)
    where
        coalesce(p.personalization_enabled, true)
        and case
            when v.user_no is null
                then exists (
                    select from feed.user_listing_states as s
                    where s.user_no = u.user_no and s.last_at <= $2::timestamptz
                )
            else r.activity > $4::double precision * v.activity_level
        end
)

select
    string_agg(int4send(c.user_no), ''::bytea order by c.user_no) as user_nos,
    (select count(*) from wanted) as wanted_count
from (
    select w.user_no
    from wanted as w
    order by w.is_new desc, w.user_no
    limit $5::integer
) as c
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


def read_settings(database: Database, as_of: str, trained_with: str = "{}") -> Settings:
    """as_of: a timestamptz as text; trained_with: JSON of columns to take instead."""
    found = dict(row(database, PARAMETERS, as_of, trained_with))
    (found["as_of"],) = integers(found["as_of"], ">i8").tolist()
    (found["window_start"],) = integers(found["window_start"], ">i8").tolist()
    found["parameters"] = json.loads(found["parameters"])
    return Settings(**found)


def read_model(database: Database) -> tuple[int, dict[str, Any]] | None:
    """The model in force and the parameters that it was trained with; None if there is none."""
    found = database.rows(CURRENT_MODEL)
    if not found:
        return None
    details = json.loads(found[0]["details"])
    return found[0]["model_id"], details


def read_users_to_update(
    database: Database, settings: Settings, model_id: int
) -> tuple[np.ndarray, int]:
    """user_no (n,) int32, ascending, of users to write into the model; how many there were."""
    found = row(
        database,
        USERS_TO_UPDATE,
        model_id,
        settings.clock,
        settings.half_life_seconds,
        float(settings.update_growth),
        settings.update_user_limit,
    )
    return integers(found["user_nos"]), found["wanted_count"]


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
        rows, is_listing = places(listing_nos, integers(found["listing_nos"]))
        is_open[rows[is_listing]] = True
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
    pages = _page_ranges(database, "feed.user_listing_states", settings.pages_per_read)
    found = ((STATES, *bounds) for bounds in pages)
    return _histories(database, settings, user_nos, listing_nos, found)


def read_histories_of_users(
    database: Database, settings: Settings, user_nos: np.ndarray
) -> tuple[np.ndarray, Histories]:
    """Of these users (ascending) alone: the listings that they touched, and their pairs."""
    listing_nos = np.empty(0, "i4")
    for pairs in _pairs_of(database, settings, PAIRS_OF_USERS, user_nos):
        listing_nos = np.union1d(listing_nos, pairs.listing_nos)
    steps = _chunks(user_nos)
    found = ((STATES_OF_USERS, nos.tolist()) for nos in steps)
    return listing_nos, _histories(database, settings, user_nos, listing_nos, found)


def _histories(
    database: Database,
    settings: Settings,
    user_nos: np.ndarray,
    listing_nos: np.ndarray,
    statements: Iterable[tuple[Any, ...]],
) -> Histories:
    parts = [tuple(np.empty(0, dtype) for dtype in ("i4", "i4", "f4", "f4", "f4"))]
    activity = np.zeros(len(user_nos))
    for statement in statements:
        pairs = _pairs(row(database, *statement), settings)
        users, is_user = places(user_nos, pairs.user_nos)
        listings, is_listing = places(listing_nos, pairs.listing_nos)
        kept = is_user & is_listing
        users, listings = users[kept], listings[kept]
        ages = pairs.ages[kept]
        faded = decay(ages, settings.half_life_seconds)
        activity += np.bincount(users, weights=pairs.counts[kept] * faded, minlength=len(user_nos))
        weights = (pairs.weights[kept] * faded).astype(np.float32)
        parts.append((users, listings, pairs.interest[kept], weights, ages.astype(np.float32)))
        database.tick()
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Histories(*columns, activity)


def read_who_chose(
    database: Database, settings: Settings, listing_nos: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """user_no, listing_no, interest of all pairs with these listings that have interest."""
    parts = [(np.empty(0, "i4"), np.empty(0, "i4"), np.empty(0, "f4"))]
    for pairs in _pairs_of(database, settings, PAIRS_OF_LISTINGS, listing_nos):
        some = pairs.interest > 0
        parts.append((pairs.user_nos[some], pairs.listing_nos[some], pairs.interest[some]))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def read_lengths(
    database: Database, settings: Settings, user_nos: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of these users (ascending): (n,) lengths of their rows of interest, and their pairs."""
    lengths, counts = np.zeros(len(user_nos)), np.zeros(len(user_nos), np.int64)
    for pairs in _pairs_of(database, settings, PAIRS_OF_USERS, user_nos):
        some = pairs.interest > 0
        users, _ = places(user_nos, pairs.user_nos[some])
        # All pairs of a user come at once.
        lengths += row_lengths(users, pairs.interest[some], len(user_nos))
        counts += np.bincount(users, minlength=len(user_nos))
    return lengths, counts


@dataclass(frozen=True)
class _Pairs:
    """Pairs up to as_of: user_no, listing_no, signed weight, interest, seconds since, count."""

    user_nos: np.ndarray
    listing_nos: np.ndarray
    weights: np.ndarray
    interest: np.ndarray
    ages: np.ndarray
    counts: np.ndarray | None


def _pairs(found: Mapping[str, Any], settings: Settings) -> _Pairs:
    last_at = integers(found["last_at"], ">i8")
    kept = last_at <= settings.as_of
    last_at = last_at[kept]
    weights = integers(found["weights"], ">i2")[kept].astype(np.float32)
    interest = np.clip(weights / settings.full_interest_weight, 0, 1)
    interest *= last_at > settings.window_start
    return _Pairs(
        integers(found["user_nos"])[kept],
        integers(found["listing_nos"])[kept],
        weights,
        interest.astype(np.float32),
        (settings.as_of - last_at) / MICROSECONDS,
        integers(found["counts"])[kept] if "counts" in found else None,
    )


def _pairs_of(
    database: Database, settings: Settings, statement: str, nos: np.ndarray
) -> Iterator[_Pairs]:
    for chunk in _chunks(nos):
        yield _pairs(row(database, statement, chunk.tolist()), settings)
        database.tick()


def _chunks(nos: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(nos), NOS_PER_READ):
        yield nos[first : first + NOS_PER_READ]


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


def places(known: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each wanted number is among the known, and whether it is."""
    if not len(known):
        return np.zeros(len(wanted), np.int32), np.zeros(len(wanted), bool)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1).astype(np.int32)
    return places, known[places] == wanted
