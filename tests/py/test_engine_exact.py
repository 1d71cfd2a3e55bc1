"""The heart of the suite: get_feed is score_listings, for any world, user and moment.

Random worlds in blocks of 4 listings, random users, random changes between the requests,
folded, half folded or not at all; after each change every column of the feed is compared
with the reference. At the end the examples themselves are judged: enough of them must have
skipped blocks, read changes beside the blocks, straddled a fold and ended in a near-tie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine_world import AS_OF, CHANGES, STATISTICS, World
from oracle import WEIGHTS
from world import COMPONENTS, SHOWN_COMPONENTS

NEW_COMPONENTS = [name for name in COMPONENTS if name not in SHOWN_COMPONENTS]

EXAMPLES = {"python": 60, "sql": 40}


@dataclass
class Seen:
    """What the examples so far have shown."""

    examples: Counter[str] = field(default_factory=Counter)
    requests: int = 0


@pytest.fixture(scope="module", params=["python", "sql"])
def engine(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def session(instance, template, engine) -> Iterator[psycopg.Connection]:
    with instance.scratch_database(template) as name:
        instance.apply_code(name, engine)
        with instance.connect(name) as connection:
            if engine == "python":
                connection.execute(STATISTICS)
            connection.execute("update feed.block_parameters set block_size = 4")
            yield connection


def test_get_feed_is_score_listings_at_every_instant(session, engine):
    seen = Seen()

    @settings(
        max_examples=EXAMPLES[engine],
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        # A world is drawn from its seed: shrinking the seed makes none simpler.
        phases=(Phase.explicit, Phase.generate),
    )
    @given(
        seed=st.integers(0, 2**32),
        listings=st.integers(1, 60),
        is_folded=st.booleans(),
        has_vectors=st.booleans(),
        has_neighbors=st.booleans(),
        changes=st.lists(st.sampled_from(CHANGES), min_size=3, max_size=14),
    )
    def example(
        seed: int,
        listings: int,
        is_folded: bool,
        has_vectors: bool,
        has_neighbors: bool,
        changes: list[Callable[[World], None]],
    ) -> None:
        with session.transaction(force_rollback=True):
            world = World(session, seed)
            world.make(listings, has_vectors, has_neighbors)
            if is_folded:
                world.fold()
            shown = world.compare()
            for change in changes:
                change(world)
                shown |= world.compare()
                seen.requests += 1
            if "read unfolded changes" in shown and "scored a block" in shown:
                shown.add("straddled a fold")
            seen.examples.update(shown | {"example"})

    example()
    total = seen.examples["example"]
    if engine == "python":
        assert seen.examples["skipped a block"] * 3 >= total, seen
        assert seen.examples["read unfolded changes"] * 3 >= total, seen
        assert seen.examples["straddled a fold"] * 3 >= total, seen
    assert seen.examples["ended in a near-tie"] * 5 >= total, seen
    print(f"{total} worlds, {seen.requests} requests: {dict(seen.examples)}")


def test_a_listing_that_moved_away_takes_no_other_with_it(session):
    """Its old row in a block that the session knows now belongs to another listing."""
    with session.transaction(force_rollback=True):
        world = World(session, 1)
        for user in world.users:
            world.run(
                "insert into feed.users (user_uid, location) values (%s, feed.make_point(47, 8))",
                user,
            )
        for n in range(12):
            listing = world.uuid()
            world.run(
                "insert into feed.listings (listing_id, title, location, created_at) "
                "values (%s, 'near', feed.make_point(%s, 8), '2026-05-30Z')",
                listing,
                47 + n / 1000,
            )
            world.listings.append(listing)
        world.run(
            "insert into feed.user_feed_preferences (user_uid, max_distance) values (%s, 25)",
            world.asker,
        )
        world.fold()
        world.compare()
        for listing in world.listings[:8:3]:
            world.run("select feed.ensure_partitions(%s, %s)", "2026-05-31Z", "2026-05-31Z")
            world.run(
                "insert into feed.user_interactions (user_uid, listing_id, type, created_at) "
                "values (%s, %s, 'dismiss', '2026-05-31Z')",
                world.asker,
                listing,
            )
            world.run(
                "update feed.listings set location = feed.make_point(-33.9, 151.2) "
                "where listing_id = %s",
                listing,
            )
            world.fold()
            for _ in range(3):
                world.compare()


@pytest.mark.parametrize("favourite", [0, 1, 2])
def test_a_block_is_not_skipped_whose_listing_only_neighbors_lift(session, favourite):
    """With nothing but the neighbors' choice to rank by, in any order of the blocks."""
    with session.transaction(force_rollback=True):
        world = World(session, 2)
        world.run("select feed.ensure_partitions(%s, %s)", "2026-05-31Z", "2026-05-31Z")
        for user in world.users:
            world.run("insert into feed.users (user_uid) values (%s)", user)
        for lat in (47, -33, 10):
            listing = world.uuid()
            world.run(
                "insert into feed.listings (listing_id, title, location, created_at) "
                "values (%s, 'far', feed.make_point(%s, 8), '2026-05-30Z')",
                listing,
                lat,
            )
            world.listings.append(listing)
        world.run("update feed.block_parameters set block_size = 2")
        world.train(has_vectors=False, has_neighbors=True)
        for number, listing in enumerate(world.listings):
            world.run(
                "insert into feed.user_interactions (user_uid, listing_id, type, created_at) "
                "values (%s, %s, %s, '2026-05-31Z')",
                world.users[1],
                listing,
                "apply" if number == favourite else "click",
            )
        world.run("""
            update feed.ranking_profiles set collaborative_weight = 1, location_weight = 0,
                tag_weight = 0, engagement_weight = 0, recency_weight = 0, poster_weight = 0,
                content_weight = 0
        """)
        world.fold()
        for _ in range(8):
            world.compare()


@pytest.mark.parametrize("component", NEW_COMPONENTS)
@pytest.mark.parametrize("favourite", [0, 1, 2])
def test_a_block_is_not_skipped_whose_listing_only_own_choices_lift(session, favourite, component):
    """With nothing but these to rank by, in any order of the blocks, written and not."""
    with session.transaction(force_rollback=True):
        world = World(session, 6)
        world.run("select feed.ensure_partitions(%s, %s)", "2026-05-31Z", "2026-05-31Z")
        for user in world.users:
            world.run("insert into feed.users (user_uid) values (%s)", user)
        posters = world.users[3:6]
        for poster in posters:
            world.run("insert into feed.posters (poster_uid) values (%s)", poster)
        for status in ("open", "closed"):
            for lat, poster in zip((47, -33, 10), posters, strict=True):
                listing = world.uuid()
                world.run(
                    "insert into feed.listings (listing_id, poster_uid, title, location, "
                    "created_at, status) values (%s, %s, 'far', feed.make_point(%s, 8), "
                    "'2026-05-30Z', %s)",
                    listing,
                    poster,
                    lat,
                    status,
                )
                world.listings.append(listing)
        world.run("update feed.block_parameters set block_size = 2")
        world.train(has_vectors=False, has_neighbors=False)
        world.relate_listings()
        for number, (listing, other) in enumerate(
            zip(world.listings[3:], world.listings[:3], strict=True)
        ):
            world.run(
                "update ml.listing_neighbors set neighbor_nos = array(select listing_no "
                "from feed.listings where listing_id = %s), similarities = '{0.5}' "
                "where listing_no = (select listing_no from feed.listings where listing_id = %s)",
                other,
                listing,
            )
            world.run(
                "insert into feed.user_interactions (user_uid, listing_id, type, created_at) "
                "values (%s, %s, %s, '2026-05-31Z')",
                world.asker,
                listing,
                "apply" if number == favourite else "click",
            )
        world.weigh(**{component: 1})
        for _ in range(2):
            for _ in range(8):
                world.compare()
            world.fold()


@pytest.mark.parametrize("seed", [8, 9, 10])
def test_own_choices_are_followed_whatever_changes(session, seed):
    """Listings, posters, interactions, half folded; by these two components alone or nearly."""
    with session.transaction(force_rollback=True):
        world = World(session, seed)
        world.make(40, has_vectors=False, has_neighbors=True)
        world.run("delete from feed.user_feed_preferences")
        world.run("update feed.listings set status = 'open', expires_at = null")
        for _ in range(60):
            world.interact()
        world.fold()
        mixtures = (
            {"poster_affinity": 1},
            {"item_similarity": 1},
            {"poster_affinity": 0.5, "item_similarity": 0.5},
            {"poster_affinity": 0.3, "item_similarity": 0.3, "collaborative": 0.4},
            {"poster_affinity": 0.2, "item_similarity": 0.4, "poster": 0.4},
            {"item_similarity": 0.6, "location": 0.4},
        )
        for mixture in mixtures:
            world.weigh(**mixture)
            world.run(
                "update feed.ranking_profiles set history_limit = %s, seen_window = %s::interval",
                world.random.choice((1, 2, 5, 100)),
                world.random.choice(("0", "30 days")),
            )
            for change in (world.new_listing, world.leave, world.interact, world.rate):
                change()
                world.compare()
            world.change_listing()
            world.fold_some()
            world.compare()
            world.move_clock()
            world.compare()


# It listens to the statements of the engine in Python.
@pytest.mark.parametrize("engine", ["python"], indirect=True)
def test_nothing_is_read_for_what_is_not_weighed(session):
    with session.transaction(force_rollback=True):
        world = World(session, 11)
        world.make(20, has_vectors=True, has_neighbors=True)
        world.fold()
        world.weigh(**WEIGHTS)
        world.compare()

        def statements() -> set[str]:
            found = world.run(
                "select tests.engine_statements(%s, 'default', %s)", world.asker, AS_OF
            )
            return {
                name
                for name in ("neighbor_choices", "poster_affinities", "item_similarities")
                for (statement,) in found
                if name in statement
            }

        assert statements() == {"neighbor_choices"}
        world.weigh(location=0.5, poster_affinity=0.5)
        assert statements() == {"neighbor_choices", "poster_affinities"}
        world.weigh(location=0.5, item_similarity=0.5)
        assert statements() == {"neighbor_choices", "item_similarities"}


@pytest.mark.parametrize("seed", [3, 4])
def test_vectors_follow_what_they_are_made_of(session, seed):
    """Pay, the poster's score, the model: beside the blocks and folded, by content alone."""
    with session.transaction(force_rollback=True):
        world = World(session, seed)
        world.make(24, has_vectors=True, has_neighbors=False)
        world.run("delete from feed.user_feed_preferences")
        world.run("update feed.listings set status = 'open', expires_at = null")
        world.run("""
            update feed.ranking_profiles set content_weight = 1, location_weight = 0,
                tag_weight = 0, engagement_weight = 0, recency_weight = 0, poster_weight = 0,
                collaborative_weight = 0, seen_window = interval '0'
        """)
        world.fold()

        def look() -> None:
            for _ in range(4):
                world.compare()

        look()
        for change in (world.pay, world.rate, world.pay, world.train_again) * 4:
            change()
            look()
            world.fold()
            look()


def test_the_clock_may_go_back(session):
    """What a session knows of a block to have expired was not so before."""
    with session.transaction(force_rollback=True):
        world = World(session, 5)
        world.make(40, has_vectors=False, has_neighbors=False)
        world.run("delete from feed.user_feed_preferences")
        world.run(
            "update feed.listings set status = 'open', expires_at = %s::timestamptz"
            " + (listing_no %% 3 - 1) * interval '1 hour'",
            AS_OF,
        )
        world.fold()
        for hours in (0, 2, 0, -2, 2, -2, 0):
            world.as_of = str(datetime.fromisoformat(AS_OF) + timedelta(hours=hours))
            for _ in range(4):
                world.compare()
