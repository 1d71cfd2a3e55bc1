"""pgfeed coverage: what the feed reaches, counted and estimated."""

import json
import sys

import numpy as np
import psycopg
import pytest

from harness import REPOSITORY, Instance, run
from pgfeed.coverage import expected_distinct

WORLD = """
select setseed(0.5);
insert into feed.users (user_uid, location)
select gen_random_uuid(), ext.st_point(8.5, 47.4, 4326) from generate_series(1, 8);
insert into feed.user_feed_preferences (user_uid, max_distance)
select user_uid, 50 from feed.users;
insert into feed.listings (title, location, expires_at)
select
    'listing ' || n,
    ext.st_point(case when n % 2 = 0 then 8.5 else -70 end, 47.4, 4326),
    case when n > 20 then now() - interval '1 hour' end
from generate_series(1, 24) as n
"""


def test_what_all_were_asked_is_counted() -> None:
    assert expected_distinct(np.array([1, 1, 2]), asked=10, users=10) == 3
    assert expected_distinct(np.array([], int), asked=10, users=100) == 0
    assert expected_distinct(np.array([5, 6]), asked=10, users=100) == 2


def test_what_only_some_were_asked_is_estimated_from_what_is_rare() -> None:
    """2,000 users with feeds of ten of 5,000 listings; the odds of a listing differ."""
    rng = np.random.default_rng(1)
    odds = rng.dirichlet(np.full(5000, 2.0))
    feeds = [rng.choice(5000, 10, replace=False, p=odds) for _ in range(2000)]
    truth = len(np.unique(np.concatenate(feeds)))
    for asked in (500, 1000):
        counts = np.bincount(np.concatenate(feeds[:asked]))
        found = expected_distinct(counts[counts > 0], asked, 2000)
        # Nearer than what was seen, and from below: the estimator is a lower bound.
        assert 0.88 * truth < found < 1.02 * truth
        assert found > (counts > 0).sum()


def coverage(instance: Instance, database: str, *arguments: str) -> dict[str, dict]:
    """What the command prints, by measure."""
    environment = instance.environment | {
        "PGDATABASE": database,
        "PYTHONPATH": str(REPOSITORY / "python"),
    }
    done = run(sys.executable, "-m", "pgfeed", "coverage", *arguments, env=environment)
    return {line["measure"]: line for line in map(json.loads, done.stdout.splitlines())}


def test_the_command_says_what_is_reached(
    scratch: psycopg.Connection, instance: Instance, scratch_name: str
) -> None:
    scratch.execute(WORLD)
    found = coverage(instance, scratch_name, "--users", "20")
    assert set(found) == {
        "users_with_personalisation",
        "users_with_neighbors",
        "listings_shown",
        "listings_in_sampled_feeds",
        "listings_in_feeds",
    }
    # Half of the 20 open listings are out of everybody's reach.
    in_feeds = found["listings_in_feeds"]
    assert (in_feeds["covered_count"], in_feeds["total_count"]) == (10, 20)
    assert (in_feeds["share"], in_feeds["target"], in_feeds["is_met"]) == (0.5, 0.9, False)
    assert (in_feeds["asked"], in_feeds["users"], in_feeds["rows"]) == (8, 8, 50)
    assert found["users_with_neighbors"]["covered_count"] == 0


@pytest.mark.usefixtures("scratch")
def test_the_command_says_so_where_there_is_nobody(instance: Instance, scratch_name: str) -> None:
    last = coverage(instance, scratch_name)["listings_in_feeds"]
    assert (last["covered_count"], last["total_count"], last["share"]) == (0, 0, None)
