"""Regions as whole databases: what docs/dba/regions.md says a region's feed is.

A copy of the database stands for the promoted standby: test_backup has those.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest

from harness import REPOSITORY, Instance, run

PAGE = (REPOSITORY / "docs/dba/regions.md").read_text()
# Two halves of the world, with the border through the middle of the synthetic cities.
REGIONS = {
    "west": "POLYGON((-180 -90, 9.5 -90, 9.5 90, -180 90, -180 -90))",
    "east": "POLYGON((9.5 -90, 180 -90, 180 90, 9.5 90, 9.5 -90))",
}
FEED = """
select listing_id, rank, distance_km, score, components, reason
from api.get_feed(%s, %s, as_of => %s)
order by rank
"""
USERS = """
select
    u.user_uid,
    case when ext.st_x(u.location::ext.geometry) < 9.5 then 'west' else 'east' end as home,
    p.max_distance is not null as is_limited,
    exists (
        select from feed.listings as l
        where
            l.status = 'open'
            and ext.st_dwithin(l.location, u.location, p.max_distance * 1000, false)
            and (ext.st_x(l.location::ext.geometry) < 9.5)
            <> (ext.st_x(u.location::ext.geometry) < 9.5)
    ) as looks_across
from feed.users as u
left join feed.user_feed_preferences as p using (user_uid)
where u.location is not null
"""


def block(name: str) -> str:
    (code,) = re.findall(rf"^ *```sql .* {name}\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    return code


def train(instance: Instance, database: str) -> None:
    with instance.connect(database) as connection:
        connection.execute("call jobs.train_models()")
        connection.execute("call jobs.refresh_engagement()")


@dataclass
class User:
    uid: UUID
    home: str
    is_limited: bool
    looks_across: bool


@dataclass
class Split:
    """The whole, and its regions."""

    instance: Instance
    names: dict[str, str]
    as_of: object
    users: list[User]

    def connect(self, place: str) -> psycopg.Connection:
        connection = self.instance.connect(self.names[place])
        connection.execute("""set request.jwt.claims = '{"role": "service_role"}'""")
        return connection

    def at_home(self, region: str) -> list[User]:
        return [user for user in self.users if user.home == region]


@pytest.fixture(scope="module")
def split(
    instance: Instance, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Split]:
    """A trained world and two copies of it, in each of which the other half is closed."""
    recipe = tmp_path_factory.mktemp("regions") / "close.sql"
    recipe.write_text(block("close"))
    with instance.scratch_database(template) as whole:
        variables = {"PGDATABASE": whole, "PYTHONPATH": str(REPOSITORY / "python")}
        run(
            *(sys.executable, "-m", "pgfeed", "synth", "--scale", "tiny"),
            env=instance.environment | variables,
        )
        train(instance, whole)
        with instance.scratch_database(whole) as west, instance.scratch_database(whole) as east:
            names = {"whole": whole, "west": west, "east": east}
            for region, polygon in REGIONS.items():
                run(
                    *("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-v", f"region={polygon}"),
                    *("-f", recipe),
                    env=instance.environment | {"PGDATABASE": names[region]},
                )
            with instance.connect(whole) as connection:
                users = [User(*row) for row in connection.execute(USERS)]
                (as_of,) = connection.execute("select now()").fetchone()
            yield Split(instance, names, as_of, users)


def feed(connection: psycopg.Connection, user: User, wanted: int, as_of: object) -> list[tuple]:
    return connection.execute(FEED, (user.uid, wanted, as_of)).fetchall()


def open_listings(connection: psycopg.Connection) -> set[UUID]:
    rows = connection.execute("select listing_id from feed.listings where status = 'open'")
    return {row[0] for row in rows}


def assert_same(ours: list[tuple], theirs: list[tuple]) -> None:
    """Everything but the rank; sums may differ in their last bits."""
    assert [row[0] for row in ours] == [row[0] for row in theirs]
    for (_, _, *distance, score, components, reason), other in zip(ours, theirs, strict=True):
        assert [*distance, reason] == [other[2], other[5]]
        assert score == pytest.approx(other[3], abs=1e-9)
        assert components.keys() == other[4].keys()
        for name, component in components.items():
            assert component == pytest.approx(other[4][name], abs=1e-9), name


def test_regions_share_the_listings_and_have_remote_ones_both(split: Split) -> None:
    found = {}
    for place in split.names:
        with split.connect(place) as connection:
            found[place] = open_listings(connection)
    with split.connect("whole") as connection:
        remote = {
            row[0]
            for row in connection.execute(
                "select listing_id from feed.listings where status = 'open' and location is null"
            )
        }
    assert found["west"] | found["east"] == found["whole"]
    assert found["west"] & found["east"] == remote
    assert all(len(found[region] - remote) > 100 for region in REGIONS) and remote


@pytest.mark.parametrize("region", REGIONS)
def test_a_regions_feed_is_the_wholes_without_other_places(split: Split, region: str) -> None:
    """For those who look across the border, and those who look everywhere, too."""
    compared, crossed = 0, 0
    with split.connect("whole") as whole, split.connect(region) as here:
        offered = open_listings(here)
        for user in split.at_home(region)[:50]:
            everything = feed(whole, user, 200, split.as_of)
            kept = [row for row in everything if row[0] in offered]
            if not kept:
                continue
            assert_same(feed(here, user, len(kept), split.as_of), kept)
            compared += 1
            crossed += len(kept) < len(everything)
    assert compared > 30
    assert crossed > 10, "nobody saw the other region: this compares nothing"


@pytest.mark.parametrize("region", REGIONS)
def test_whose_circle_lies_inside_has_the_same_feed(split: Split, region: str) -> None:
    inside = [u for u in split.at_home(region) if u.is_limited and not u.looks_across]
    assert len(inside) >= 5
    with split.connect("whole") as whole, split.connect(region) as here:
        for user in inside:
            theirs = feed(whole, user, 50, split.as_of)
            assert_same(feed(here, user, 50, split.as_of), theirs)
            assert theirs[0][1] == 1 and len(theirs) > 5


def test_what_is_done_at_home_counts_as_in_the_whole(split: Split) -> None:
    """Exclusions, and neighbors' choices, without any job: both sides see the same writes."""
    inside = [u for u in split.at_home("west") if u.is_limited and not u.looks_across]
    with split.connect("whole") as whole, split.connect("west") as here:
        before = {user.uid: feed(here, user, 50, split.as_of) for user in inside}
        for connection in (whole, here):
            with connection.transaction(force_rollback=True):
                for user in inside:
                    claims = json.dumps({"role": "authenticated", "sub": str(user.uid)})
                    connection.execute(
                        "select set_config('request.jwt.claims', %s, true)", (claims,)
                    )
                    connection.execute(
                        "select api.track_interaction(%s, 'dismiss')", (before[user.uid][0][0],)
                    )
                connection.execute("""set local request.jwt.claims = '{"role": "service_role"}'""")
                found = {user.uid: feed(connection, user, 50, split.as_of) for user in inside}
            if connection is whole:
                expected = found
        for uid, rows in expected.items():
            assert_same(found[uid], rows)
        assert all(found[uid] != rows for uid, rows in before.items())


def test_what_is_done_elsewhere_does_not_count_at_home(split: Split) -> None:
    """The page says so: a remote listing dismissed in the east is still shown in the west."""
    with split.connect("west") as west, split.connect("east") as east:
        remote = {
            row[0]
            for row in west.execute(
                "select listing_id from feed.listings where status = 'open' and location is null"
            )
        }
        user, listing = next(
            (user, row[0])
            for user in split.at_home("west")
            for row in feed(west, user, 50, split.as_of)
            if row[0] in remote
        )
        with east.transaction(force_rollback=True):
            claims = json.dumps({"role": "authenticated", "sub": str(user.uid)})
            east.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
            east.execute("select api.track_interaction(%s, 'dismiss')", (listing,))
            east.execute("""set local request.jwt.claims = '{"role": "service_role"}'""")
            assert listing not in {row[0] for row in feed(east, user, 200, split.as_of)}
            assert listing in {row[0] for row in feed(west, user, 50, split.as_of)}


def test_the_next_training_finds_the_same_similar_users(split: Split) -> None:
    """Closing keeps all pairs, so that nothing learned is lost by the split itself."""
    found = []
    for place in ("whole", "west"):
        train(split.instance, split.names[place])
        with split.connect(place) as connection:
            found.append(
                connection.execute(
                    """
                    select n.user_no, n.neighbor_nos, n.similarities
                    from ml.user_neighbors as n
                    inner join ml.current_model as c using (model_id)
                    order by n.user_no
                    """
                ).fetchall()
            )
    assert found[0] == found[1]
    assert len(found[0]) > 100
