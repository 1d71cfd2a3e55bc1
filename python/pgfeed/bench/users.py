"""Who asks: users of the population mix, and of every kind that is hard by itself.

The choice depends on nothing but the world: ranks by a hash of the user_uid. It is made once a
database and kept in bench_users.askers, since some of the users are changed for their kind.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from uuid import UUID, uuid5

import psycopg

from pgfeed.bench.catalogue import Catalogue, unit_vector

NAMESPACE = UUID("5f0f3c0e-6f5c-4f3b-9a53-6a8c0a1d7b10")
# The middle of the South Pacific: nothing within reach but remote listings.
NOWHERE = (-48.9, -123.4)
SEEN = 5000
MANY_TAGS = 300
# Users with a limit whose reach is counted, to find the densest and the sparsest.
COUNTED = 1500

USERS = """
select
    u.user_uid,
    u.user_no,
    ext.st_y(u.location::ext.geometry) as lat,
    ext.st_x(u.location::ext.geometry) as lon,
    p.max_distance,
    coalesce(p.personalization_enabled, true) as is_personalized,
    coalesce(a.pairs, 0) as activity
from feed.users as u
left join feed.user_feed_preferences as p using (user_uid)
left join (
    select s.user_no, count(*) as pairs
    from feed.user_listing_states as s
    where s.last_at > now() - interval '60 days'
    group by s.user_no
) as a using (user_no)
"""

# How many users of each kind, in a world that has enough.
KINDS = {
    "mix": 200,
    "dense": 20,
    "sparse": 20,
    "nobody_near": 10,
    "no_location": 20,
    "unlimited": 20,
    "many_seen": 5,
    "many_tags": 10,
    "impersonal": 20,
    "brand_new": 10,
    "writer": 10,
}


@dataclass(frozen=True)
class User:
    """A row of USERS."""

    user_uid: UUID
    user_no: int
    lat: float | None
    lon: float | None
    max_distance: float | None
    is_personalized: bool
    activity: int

    @property
    def hash(self) -> float:
        """In (0, 1), the same in every run."""
        digest = hashlib.blake2b(self.user_uid.bytes, digest_size=8).digest()
        return (int.from_bytes(digest) + 1) / (2**64 + 2)

    @property
    def request_rank(self) -> float:
        """Ascending: a draw without repeats with chances as activity is (exponential race)."""
        return -math.log(self.hash) / self.activity if self.activity else math.inf


def askers(connection: psycopg.Connection, catalogue: Catalogue) -> dict[str, list[UUID]]:
    """user_uids by kind: from bench_users.askers, or chosen and prepared now."""
    connection.execute("create schema if not exists bench_users")
    connection.execute(
        "create table if not exists bench_users.askers"
        " (kind text, ordinal integer, user_uid uuid, primary key (kind, ordinal))"
    )
    rows = connection.execute("select kind, user_uid from bench_users.askers order by 1, ordinal")
    chosen: dict[str, list[UUID]] = {}
    for kind, user_uid in rows:
        chosen.setdefault(kind, []).append(user_uid)
    if not chosen:
        with connection.transaction():
            chosen = _choose(connection, catalogue)
            _prepare(connection, catalogue, chosen)
            for kind, users in chosen.items():
                for ordinal, user_uid in enumerate(users):
                    connection.execute(
                        "insert into bench_users.askers values (%s, %s, %s)",
                        (kind, ordinal, user_uid),
                    )
    return chosen


def _choose(connection: psycopg.Connection, catalogue: Catalogue) -> dict[str, list[UUID]]:
    everybody = [User(*row) for row in connection.execute(USERS)]
    as_of = connection.execute("select extract(epoch from now())::double precision").fetchone()[0]
    by_hash = sorted(everybody, key=lambda user: user.hash)
    by_requests = sorted(everybody, key=lambda user: user.request_rank)
    limited = [u for u in by_hash if u.lat is not None and u.max_distance is not None]
    by_reach = sorted(
        limited[:COUNTED],
        key=lambda u: catalogue.reach(unit_vector(u.lat, u.lon), u.max_distance, as_of),
    )
    # From the far end of the mix, so that what is changed below is not in it.
    rest = [u for u in reversed(by_requests) if u.activity and u.lat is not None]
    candidates = {
        "mix": by_requests,
        "dense": list(reversed(by_reach)),
        "sparse": by_reach,
        "no_location": [u for u in by_hash if u.lat is None],
        "unlimited": [u for u in by_hash if u.lat is not None and u.max_distance is None],
        "impersonal": [u for u in by_hash if not u.is_personalized],
        "nobody_near": rest,
        "many_seen": [u for u in rest if u.is_personalized],
        "many_tags": rest,
        "writer": rest,
    }
    chosen: dict[str, list[UUID]] = {}
    changed: set[UUID] = set()
    kept: set[UUID] = set()
    for kind, users in candidates.items():
        # A kind may not take so many that nobody is left for the others.
        most = len(everybody) // (4 if kind == "mix" else 20)
        is_changed = kind in ("nobody_near", "many_seen", "many_tags", "writer")
        avoided = changed | kept if is_changed else set()
        uids = [u.user_uid for u in users if u.user_uid not in avoided]
        uids = uids[: min(KINDS[kind], most)]
        (changed if is_changed else kept).update(uids)
        chosen[kind] = uids
    chosen["brand_new"] = [uuid5(NAMESPACE, str(n)) for n in range(KINDS["brand_new"])]
    return chosen


def _prepare(
    connection: psycopg.Connection, catalogue: Catalogue, chosen: dict[str, list[UUID]]
) -> None:
    """Makes users what their kind says."""
    connection.execute(
        "update feed.users set location = feed.make_point(%s, %s) where user_uid = any(%s)",
        (*NOWHERE, chosen["nobody_near"]),
    )
    preferences = (
        "insert into feed.user_feed_preferences as p (user_uid, {columns}) values (%s, {values})"
        " on conflict (user_uid) do update set ({columns}) = row({values})"
    )
    for user_uid in chosen["nobody_near"]:
        text = preferences.format(columns="max_distance", values="50")
        connection.execute(text, (user_uid,))
    tags = [row[0] for row in connection.execute("select tag from feed.tag_numbers order by 1")]
    preferred = tags[: MANY_TAGS // 2] + [f"wish {n}" for n in range(MANY_TAGS // 2)]
    blocked = tags[-10:] + [f"nuisance {n}" for n in range(MANY_TAGS)]
    preferred = [tag for tag in preferred if tag not in blocked]
    for user_uid in chosen["many_tags"]:
        text = preferences.format(columns="preferred_tags, blocked_tags", values="%s, %s")
        connection.execute(text, (user_uid, preferred, blocked, preferred, blocked))
    for user_uid in chosen["many_seen"]:
        # Those that would be near the top: of all that are in reach, the most engaging.
        connection.execute(
            """
            insert into feed.user_interactions (user_uid, listing_id, type, created_at, event_id)
            select
                %(user)s,
                l.listing_id,
                (case when l.listing_no %% 10 = 0 then 'dismiss' else 'view' end)
                    ::feed.interaction_type,
                greatest(l.created_at, now() - interval '1 day'),
                gen_random_uuid()
            from feed.listings as l
            left join feed.engagement_metrics as m using (listing_id)
            where l.status = 'open'
            order by m.engagement_score desc nulls last, l.listing_no
            limit %(seen)s
            """,
            {"user": user_uid, "seen": SEEN},
        )
