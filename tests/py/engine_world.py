"""Small random worlds, and the comparison of the fast feed with the reference.

Used by test_engine_exact (one session, everything that can change) and test_engine_live
(several sessions, kills, copies).
"""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Callable

import psycopg
import pytest
from psycopg.types.json import Jsonb

from world import COMPONENTS

AS_OF = "2026-06-01T12:00:00Z"
TAGS = [f"tag{n}" for n in range(12)]
TOWNS = [(47.37, 8.54), (47.5, 8.72), (46.95, 7.44), (-33.9, 151.2)]

STATISTICS = """
create or replace function tests.kernel_scores(
    user_uid uuid, profile_name text, as_of timestamptz
)
returns table (listing_no integer, score double precision)
language plpython3u stable as $$
from pgfeed.engine import feed
database, cache = GD["pgfeed.engine"]
asker = feed._read_asker(database, user_uid, profile_name, as_of)
chosen = feed._read_chosen(database, asker, user_uid, profile_name, as_of)
found = feed.search(database, cache, asker, chosen, (profile_name, as_of), 1000000, [])
nos, scores, certain = found
return zip(nos[certain].tolist(), scores[certain].tolist())
$$;
create or replace function tests.engine_statistics() returns integer[] language plpython3u as $$
cache = GD["pgfeed.engine"][1]
return [cache.scored, cache.skipped, len(cache.changes_now.listing_nos)]
$$;
create or replace function tests.engine_statements(
    user_uid uuid, profile_name text, as_of timestamptz
)
returns setof text language plpython3u as $$
database, cache = GD["pgfeed.engine"]
from pgfeed.engine.feed import best_listings
class Listening:
    def rows(self, sql, types, values):
        heard.append(sql)
        return database.rows(sql, types, values)
heard = []
best_listings(Listening(), cache, user_uid, profile_name, as_of, 10, [])
return heard
$$
"""
REFERENCE = """
select
    row_number() over (
        order by round(s.score::numeric, 9) desc, s.created_at desc, s.listing_id
    )::integer as rank,
    l.listing_id, l.poster_uid, l.external_id, l.title, l.description, l.url, l.image_url,
    l.attributes, l.tags, ext.st_y(l.location::ext.geometry) as lat,
    ext.st_x(l.location::ext.geometry) as lon, l.compensation, l.currency, l.created_at,
    l.expires_at, s.distance_km, s.score, c.components,
    feed.reason(
        k.component_names, l, m, o, s.distance_km, s.matched_tag_count, s.has_inferred_tags,
        s.neighbor_count, s.content_score, s.poster_choice_count, s.similar_choice_count, %(as_of)s
    ) as reason
from feed.score_listings(%(user)s, %(profile)s, %(as_of)s) as s
inner join feed.listings as l using (listing_id)
left join feed.engagement_metrics as m using (listing_id)
left join feed.posters as o on l.poster_uid = o.poster_uid
inner join feed.ranking_profiles as p on p.profile_name = %(profile)s
cross join lateral (select feed.weighted_components(
    p, s.location_score, s.tag_score, s.engagement_score, s.recency_score, s.poster_score,
    s.collaborative_score, s.content_score,
    -- the feed shows these two where they weigh something
    case when p.poster_affinity_weight > 0 then s.poster_affinity_score end,
    case when p.item_similarity_weight > 0 then s.item_similarity_score end) as components) as c
cross join lateral feed.leading_components(c.components) as k
where s.listing_id <> all(%(exclude)s)
order by 1
"""
FEED = """
select * from api.get_feed(%(user)s, %(limit)s, %(profile)s, %(as_of)s, %(exclude)s)
"""


class World:
    """A small random world in one transaction."""

    def __init__(self, session: psycopg.Connection, seed: int) -> None:
        self.session = session
        self.random = random.Random(seed)
        self.engine = self.run("select e.feed_engine from ops.engine_in_force as e")[0][0]
        self.as_of = AS_OF
        self.profile = "default"
        self.users = [self.uuid() for _ in range(6)]
        self.asker = self.users[0]
        self.listings: list[str] = []
        self.events: list[tuple[str, str]] = []

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def run(self, sql: str, *parameters: object) -> list[tuple]:
        cursor = self.session.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []

    def place(self) -> tuple[float, float] | tuple[None, None]:
        if self.random.random() < 0.12:
            return None, None
        lat, lon = self.random.choices(TOWNS, (6, 3, 2, 1))[0]
        spread = self.random.choice((0, 0.0001, 0.02, 0.2))
        return lat + self.random.gauss(0, spread), lon + self.random.gauss(0, spread)

    def tags(self, most: int = 12) -> list[str]:
        return self.random.sample(TAGS, min(self.random.randint(0, most), len(TAGS)))

    def age(self) -> float:
        """Days; some listings of one age, some from after as_of."""
        return self.random.choice((self.random.uniform(0, 40), 3.0, 3.0 + 1e-6, -1.0, 0.0))

    # ------------------------------------------------------------------ the start

    def make(self, listings: int, has_vectors: bool, has_neighbors: bool) -> None:
        for user in self.users:
            self.run(
                "insert into feed.users (user_uid, location) values (%s, feed.make_point(%s, %s))",
                user,
                *self.place(),
            )
        for poster in self.users[3:5]:
            self.run("insert into feed.posters (poster_uid, poster_score) values (%s, 0)", poster)
            self.rate(poster)
        for _ in range(listings):
            self.new_listing()
        self.change_preferences()
        if has_vectors or has_neighbors:
            self.train(has_vectors, has_neighbors)
        for _ in range(self.random.randint(0, 2 * listings)):
            self.interact()
        if self.random.random() < 0.4:
            self.change_profile()

    def train(self, has_vectors: bool, has_neighbors: bool) -> None:
        self.run("""
            with model as (
                insert into ml.models (trained_at, parameters) values (now(), '{
                    "blocks": {
                        "tags": {"start": 0, "length": 0, "weight": 1},
                        "location": {"start": 0, "length": 0, "weight": 1},
                        "compensation": {"start": 0, "length": 1, "weight": 1},
                        "poster": {"start": 1, "length": 1, "weight": 1}
                    },
                    "compensation_scalers": {"": {"mean": 3, "scale": 1}},
                    "poster_scaler": {"mean": 0.5, "scale": 0.2},
                    "scaled_value_limit": 3
                }') returning model_id
            )
            update ml.current_model set model_id = model.model_id, published_at = now() from model
        """)
        if has_vectors:
            self.run(
                """
                insert into ml.user_vectors (
                    model_id, user_no, tag_preference, activity_level, feature_vector
                )
                select c.model_id, u.user_no, %s, 1, %s
                from feed.users as u, ml.current_model as c where u.user_uid = %s
                """,
                Jsonb({tag: self.random.uniform(-1, 2) for tag in self.tags()}),
                [self.random.uniform(-1, 1), self.random.uniform(-1, 1)],
                self.asker,
            )
            for listing in self.listings:
                if self.random.random() < 0.8:
                    self.set_vector(listing)
        if has_neighbors:
            self.relate_listings()
            self.run(
                """
                insert into ml.user_neighbors (model_id, user_no, neighbor_nos, similarities)
                select c.model_id, u.user_no,
                    array(select v.user_no from feed.users as v
                        where v.user_uid = any(%s) order by v.user_no), %s
                from feed.users as u, ml.current_model as c where u.user_uid = %s
                """,
                self.users[1:4],
                sorted((self.random.uniform(0.01, 1) for _ in range(3)), reverse=True),
                self.asker,
            )

    def relate_listings(self) -> None:
        """Which listings go together: of most a few, of one all others, of some none."""
        for number, listing in enumerate(self.listings):
            if number and self.random.random() < 0.3:
                continue
            others = [other for other in self.listings if other != listing]
            count = len(others) if not number else self.random.randint(0, min(6, len(others)))
            chosen = self.random.sample(others, count)
            self.run(
                """
                insert into ml.listing_neighbors (
                    model_id, listing_no, neighbor_nos, similarities
                )
                select c.model_id, l.listing_no,
                    coalesce((
                        select array_agg(o.listing_no order by o.listing_no)
                        from feed.listings as o where o.listing_id = any(%s)
                    ), '{}'), %s
                from feed.listings as l, ml.current_model as c where l.listing_id = %s
                """,
                chosen,
                [self.random.uniform(0.01, 1) for _ in chosen],
                listing,
            )

    # ------------------------------------------------------------------ what changes

    def new_listing(self) -> None:
        """New, or the very likeness of another: near-ties."""
        if self.listings and self.random.random() < 0.3:
            self.run(
                """
                insert into feed.listings (
                    listing_id, poster_uid, title, tags, location, created_at, expires_at
                )
                select %s, poster_uid, 'twin', tags, location,
                    created_at + %s * interval '1 microsecond', expires_at
                from feed.listings where listing_id = %s
                """,
                twin := self.uuid(),
                self.random.choice((0, 1, 1000)),
                self.random.choice(self.listings),
            )
            self.listings.append(twin)
            return
        listing = self.uuid()
        self.run(
            """
            insert into feed.listings (
                listing_id, poster_uid, title, tags, location, created_at, expires_at, status
            )
            values (
                %s, %s, 'new', %s, feed.make_point(%s, %s),
                %s::timestamptz - %s * interval '1 day', %s::timestamptz + %s::interval, %s
            )
            """,
            listing,
            self.random.choice((None, *self.users[3:5])),
            self.tags(),
            *self.place(),
            AS_OF,
            self.age(),
            AS_OF,
            self.random.choice((None, None, "1 hour", "0", "-1 day")),
            self.random.choice(("open",) * 6 + ("closed",)),
        )
        self.listings.append(listing)

    def change_listing(self) -> None:
        listing = self.random.choice(self.listings)
        column, value = self.random.choice(
            (
                ("tags", self.tags()),
                ("status", self.random.choice(("open", "closed"))),
                ("title", "another title"),
            )
        )
        self.run(f"update feed.listings set {column} = %s where listing_id = %s", value, listing)

    def move_listing(self) -> None:
        self.run(
            "update feed.listings set location = feed.make_point(%s, %s) where listing_id = %s",
            *self.place(),
            self.random.choice(self.listings),
        )

    def expire_listing(self) -> None:
        self.run(
            "update feed.listings set expires_at = %s::timestamptz + %s::interval "
            "where listing_id = %s",
            AS_OF,
            self.random.choice((None, "1 second", "0", "-1 second")),
            self.random.choice(self.listings),
        )

    def close_many(self) -> None:
        self.run(
            "update feed.listings set status = 'closed' where listing_id = any(%s)",
            self.random.sample(self.listings, len(self.listings) // 2),
        )

    def rate(self, poster: str | None = None) -> None:
        accepted = self.random.randint(0, 100)
        self.run(
            """
            update feed.posters set average_rating = %s, rating_count = %s,
                accepted_count = %s, completed_count = %s where poster_uid = %s
            """,
            self.random.uniform(1, 5),
            self.random.randint(0, 50),
            accepted,
            self.random.randint(0, accepted),
            poster or self.random.choice(self.users[3:5]),
        )

    def leave(self) -> None:
        """A poster leaves, their listings stay, and they begin again with none."""
        poster = self.random.choice(self.users[3:5])
        self.run("delete from feed.posters where poster_uid = %s", poster)
        self.run("insert into feed.posters (poster_uid, poster_score) values (%s, 0)", poster)
        self.rate(poster)

    def engage(self) -> None:
        self.run(
            """
            insert into feed.engagement_metrics (listing_id, apply_count, engagement_score)
            values (%s, 1, %s) on conflict (listing_id) do update
            set engagement_score = excluded.engagement_score
            """,
            self.random.choice(self.listings),
            self.random.choice((0, 1, self.random.random())),
        )

    def interact(self) -> None:
        user = self.random.choices(self.users, (4, 3, 3, 2, 1, 1))[0]
        listing, event = self.random.choice(self.listings), self.uuid()
        kind = self.random.choices(
            ("view", "click", "save", "share", "apply", "dismiss"), (4, 4, 3, 2, 1, 1)
        )[0]
        self.run(
            "select feed.ensure_partitions(%s::timestamptz - interval '4 months', %s)", AS_OF, AS_OF
        )
        self.run(
            """
            insert into feed.user_interactions (user_uid, listing_id, type, created_at, event_id)
            values (%s, %s, %s, %s::timestamptz - %s * interval '1 day', %s)
            """,
            user,
            listing,
            kind,
            AS_OF,
            self.random.choice((0, 29.9, 30, 30.1, 89, 90, 91, self.random.uniform(0, 100))),
            event,
        )
        self.events.append((user, event))

    def retract(self) -> None:
        if self.events:
            user, event = self.events.pop(self.random.randrange(len(self.events)))
            self.run(
                "delete from feed.user_interactions where user_uid = %s and event_id = %s",
                user,
                event,
            )

    def change_preferences(self) -> None:
        blocked = self.tags(2) if self.random.random() < 0.5 else []
        preferred = [tag for tag in self.tags(8) if tag not in blocked]
        limit: float | None = self.random.choice((None, 0.5, 5, 25, 100, 20000))
        if self.listings and self.random.random() < 0.6:
            # The very distance of a listing.
            near = self.run(
                """
                select ext.st_distance(u.location, l.location, false) / 1000
                from feed.users as u, feed.listings as l
                where u.user_uid = %s and l.listing_id = %s
                """,
                self.asker,
                self.random.choice(self.listings),
            )[0][0]
            # Or half a metre more or less: float32 cannot tell.
            limit = near + self.random.choice((0, 0.0005, -0.0005, -0.0005)) if near else limit
        user = self.random.choices(self.users, (8, 1, 1, 1, 0, 0))[0]
        self.run(
            """
            insert into feed.user_feed_preferences (
                user_uid, max_distance, preferred_tags, blocked_tags, personalization_enabled
            )
            values (%s, %s, %s, %s, %s) on conflict (user_uid) do update set
                max_distance = excluded.max_distance,
                preferred_tags = excluded.preferred_tags,
                blocked_tags = excluded.blocked_tags,
                personalization_enabled = excluded.personalization_enabled
            """,
            user,
            limit,
            preferred if self.random.random() < 0.7 else [],
            blocked,
            self.random.random() < 0.8,
        )

    def move_user(self) -> None:
        self.run(
            "update feed.users set location = feed.make_point(%s, %s) where user_uid = %s",
            *self.place(),
            self.asker,
        )

    def set_vector(self, listing: str) -> None:
        self.run(
            """
            insert into ml.listing_vectors (model_id, listing_no, feature_vector)
            select c.model_id, l.listing_no, %s
            from feed.listings as l, ml.current_model as c
            where l.listing_id = %s and c.model_id is not null
            on conflict (model_id, listing_no) do update
            set feature_vector = excluded.feature_vector
            """,
            [self.random.uniform(-1, 1), self.random.uniform(-1, 1)],
            listing,
        )

    def pay(self) -> None:
        """Pay is nowhere in the feed's blocks, but in the listing's vector."""
        self.run(
            "update feed.listings set compensation = %s where listing_id = %s",
            self.random.choice((None, 0, 19, 1000)),
            self.random.choice(self.listings),
        )

    def train_again(self) -> None:
        self.train(self.random.random() < 0.8, self.random.random() < 0.8)

    def change_profile(self) -> None:
        """Weights of all components, of some, of one alone; and the other parameters."""
        weighed = self.random.sample(COMPONENTS, self.random.choice((1, 2, 4, 9, 9, 9)))
        cuts = sorted(self.random.randint(0, 100) for _ in weighed[1:])
        weights = dict.fromkeys(COMPONENTS, 0)
        weights |= {
            name: b - a for name, a, b in zip(weighed, [0, *cuts], [*cuts, 100], strict=True)
        }
        self.weigh(**{name: weight / 100 for name, weight in weights.items()})
        self.run(f"""
            update feed.ranking_profiles set
                location_decay_km = {self.random.choice((0.1, 25, 5000))},
                recency_half_life = interval '{self.random.choice((1, 7, 400))} days',
                seen_window = interval '{self.random.choice((0, 30))} days',
                inferred_tag_count = {self.random.choice((0, 2, 10))},
                affinity_half_life = interval '{self.random.choice((1, 90, 400))} days',
                affinity_smoothing = {self.random.choice((0.1, 1, 10))},
                history_half_life = interval '{self.random.choice((1, 30, 400))} days',
                history_limit = {self.random.choice((1, 3, 100))}
        """)

    def weigh(self, **weights: float) -> None:
        """These weights, and 0 for the other components."""
        assignments = ", ".join(f"{name}_weight = {weights.get(name, 0)}" for name in COMPONENTS)
        self.run(f"update feed.ranking_profiles set {assignments}")

    def move_clock(self) -> None:
        self.as_of = self.random.choice(
            (
                AS_OF,
                "2026-06-01T12:00:01Z",
                "2026-05-29T12:00:00Z",
                "2026-07-15T00:00:00Z",
            )
        )

    def fold(self) -> None:
        self.run("select * from feed.fold_changes()")

    def fold_some(self) -> None:
        self.run(
            """
            select * from feed.fold_changes(array(
                select listing_no from feed.listings where listing_id = any(%s)))
            """,
            self.random.sample(self.listings, len(self.listings) // 3),
        )

    # ------------------------------------------------------------------ the comparison

    def compare_kernel(self, request: dict[str, object]) -> None:
        """Every eligible listing, not only the best: its score without content in float32."""
        differing = self.session.execute(KERNEL, request).fetchall()
        assert not differing, (request, differing)

    def looked_at(self, request: dict[str, object]) -> set[str]:
        """What the engine in Python did, and that its kernel scored all listings alike."""
        scored, skipped, changes = self.run("select tests.engine_statistics()")[0][0]
        self.compare_kernel(request)
        shown = set()
        if skipped:
            shown.add("skipped a block")
        if scored:
            shown.add("scored a block")
        if changes:
            shown.add("read unfolded changes")
        return shown

    def compare(self) -> set[str]:
        """One request beside the reference; returns what it has shown."""
        limit = self.random.choice((1, 3, 5, 10, 200))
        request = {
            "user": self.random.choices((self.asker, *self.users[3:6]), (7, 1, 1, 1))[0],
            "limit": limit,
            "profile": self.profile,
            "as_of": self.as_of,
            "exclude": self.random.choices(self.listings, k=self.random.choice((0, 0, 1, 4))),
        }
        expected = self.session.execute(REFERENCE, request).fetchall()
        feed = self.session.execute(FEED, request).fetchall()
        assert len(feed) == min(limit, len(expected)), request
        for row, wanted in zip(feed, expected, strict=False):
            assert row[:16] == wanted[:16], (request, row, wanted)
            assert row[16] == pytest.approx(wanted[16], abs=1e-9), (request, row, wanted)
            assert row[17] == pytest.approx(wanted[17], abs=1e-9), (request, row, wanted)
            assert_same_components(row[18], wanted[18])
            assert row[19:-1] == wanted[19:], (request, row, wanted)
        shown = self.looked_at(request) if self.engine == "python" else set()
        if limit < len(expected) and math.isclose(
            expected[limit - 1][17], expected[limit][17], abs_tol=1e-5
        ):
            shown.add("ended in a near-tie")
        return shown


KERNEL = """
select r.listing_id, k.listing_no, r.score - p.content_weight * r.content_score, k.score
from (
    select s.*, l.listing_no
    from feed.score_listings(%(user)s, %(profile)s, %(as_of)s) as s
    inner join feed.listings as l using (listing_id)
) as r
full join tests.kernel_scores(%(user)s, %(profile)s, %(as_of)s) as k using (listing_no)
cross join feed.ranking_profiles as p
left join feed.user_context(%(user)s, 0) as u on true
where
    p.profile_name = %(profile)s
    and abs(coalesce(r.distance_km, 0) - coalesce(u.max_distance, 1e9)) > 0.01
    -- float32, and a place that is off by a metre
    and (
        abs(r.score - p.content_weight * r.content_score - k.score)
        < 1e-5 + 0.0013 * p.location_weight / p.location_decay_km
    ) is not true
"""


def assert_same_components(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    for name in one:
        for part in ("value", "weight", "contribution"):
            assert one[name][part] == pytest.approx(other[name][part], abs=1e-9), (name, part)


CHANGES: list[Callable[[World], None]] = [
    World.new_listing,
    World.change_listing,
    World.move_listing,
    World.expire_listing,
    World.close_many,
    World.rate,
    World.leave,
    World.engage,
    World.interact,
    World.retract,
    World.change_preferences,
    World.move_user,
    World.pay,
    World.train_again,
    World.change_profile,
    World.move_clock,
    World.fold,
    World.fold,
    World.fold,
    World.fold_some,
]
