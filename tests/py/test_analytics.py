"""jobs.refresh_analytics: what comes late, what is taken back, what is killed, what is gone.

How each number is counted is in tests/pgtap/functions/analytics, by hand; here the whole of a
synthetic world is counted a second time, in Python.
"""

import subprocess
import sys
from bisect import bisect_right
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from harness import REPOSITORY, Instance
from test_jobs import started, states, until, value, waiting_pid

JOB = "call jobs.refresh_analytics()"
ONCE_EVER = ("apply", "save", "dismiss")
NUMBERS = """
    select 'day', to_jsonb(d) - 'refreshed_at' from analytics.daily_counts as d
    union all
    select 'feed', to_jsonb(f) from analytics.feed_counts as f
"""


@pytest.fixture
def world(scratch: psycopg.Connection) -> psycopg.Connection:
    """Two users, two listings, and the makers of pgTAP's tests."""
    scratch.execute("set search_path = tests, ext, pg_catalog")
    scratch.execute("set timezone = 'UTC'")
    scratch.execute("select tests.user('ann'), tests.user('bob')")
    scratch.execute("select listing('bicycle'), listing('kayak')")
    return scratch


def happen(world: psycopg.Connection, who: str, what: str, kind: str, days_ago: float) -> None:
    """An interaction so long ago, and an impression an hour before it."""
    world.execute(
        """
        select
            impression(%(who)s, %(what)s, now() - %(ago)s - interval '1 hour'),
            interaction(%(who)s, %(what)s, %(kind)s, now() - %(ago)s)
        """,
        {"who": who, "what": what, "kind": kind, "ago": timedelta(days=days_ago)},
    )


def numbers(world: psycopg.Connection) -> set[tuple[str, str]]:
    return {(table, str(row)) for table, row in world.execute(NUMBERS)}


def by_day(world: psycopg.Connection, column: str) -> dict[int, int]:
    """A column of daily_metrics by how many days ago, without zeros."""
    today = datetime.now(UTC).date()
    rows = world.execute(f"select day, {column} from analytics.daily_metrics where {column} <> 0")
    return {(today - day).days: number for day, number in rows}


def day_of(days_ago: float) -> int:
    """How many days ago (UTC) it was, so long ago."""
    now = datetime.now(UTC)
    return (now.date() - (now - timedelta(days=days_ago)).date()).days


def a_night_later(world: psycopg.Connection, nights: int = 1) -> None:
    """As if the last nightly run had been so long ago: the next run is a nightly one."""
    world.execute(
        "update analytics.refresh_parameters set recounted_at = recounted_at - %s",
        (timedelta(days=nights),),
    )


def test_what_comes_late_or_is_taken_back_is_right_after_the_night(
    world: psycopg.Connection,
) -> None:
    for days in (0.001, 2.5, 6.5, 12.0, 30.0):
        happen(world, "ann", "bicycle", "click", days)
    world.execute(JOB)
    first = {day_of(days): 1 for days in (0.001, 2.5, 6.5, 12.0, 30.0)}
    assert by_day(world, "click_count") == first
    assert value(world, "select count(*) from analytics.daily_metrics") == day_of(30.05) + 1

    # An hour later: today and yesterday only.
    happen(world, "bob", "kayak", "click", 0.002)
    happen(world, "bob", "kayak", "click", 6.4)
    world.execute(
        "delete from feed.user_interactions where created_at between"
        " now() - interval '3 days' and now() - interval '2 days'"
    )
    world.execute(JOB)
    hour = Counter(first) + Counter([day_of(0.002)])
    assert by_day(world, "click_count") == hour

    # A night later everything that can have come in.
    a_night_later(world)
    world.execute(JOB)
    night = hour + Counter([day_of(6.4)])
    night -= Counter([day_of(2.5)])
    assert by_day(world, "click_count") == night

    # After a week without a run, what came in since then, a week late.
    a_night_later(world, 7)
    happen(world, "bob", "bicycle", "click", 13.5)
    world.execute(JOB)
    week = night + Counter([day_of(13.5)])
    assert by_day(world, "click_count") == week
    assert by_day(world, "attributed_click_count") == week

    # All of it is as if it had been counted at once.
    stored = numbers(world)
    world.execute("delete from analytics.daily_counts")
    world.execute("delete from analytics.feed_counts")
    world.execute("update analytics.refresh_parameters set recounted_at = null")
    world.execute(JOB)
    assert numbers(world) == stored
    assert value(world, "select count(*) from analytics.coverage") == 3
    details = value(world, "select details from jobs.runs order by run_id desc limit 1")
    assert details["is_nightly"] is True


def test_an_offline_client_sends_what_happened_six_days_ago(world: psycopg.Connection) -> None:
    world.execute(JOB)
    with world.transaction():
        world.execute("select act_as('ann')")
        world.execute(
            """
            select api.track_interaction(
                listing_id('bicycle'), 'view', '{"seconds": 40}', null, now() - interval '6 days'
            )
            """
        )
    world.execute(JOB)
    assert by_day(world, "view_count") == {}
    a_night_later(world)
    world.execute(JOB)
    assert by_day(world, "view_count") == {day_of(6): 1}
    assert by_day(world, "seconds_per_listing") == {day_of(6): 40}


def test_months_that_are_dropped_keep_their_numbers(world: psycopg.Connection) -> None:
    for days in (1, 100, 150):
        happen(world, "ann", "bicycle", "click", days)
    world.execute(JOB)
    before = numbers(world)
    world.execute("update feed.data_lifetimes set interaction_lifetime = '2 months'")
    world.execute("call jobs.keep_house()")
    assert value(world, "select count(*) from feed.user_interactions") == 1
    assert value(world, "select count(*) from feed.feed_impressions") == 3
    # Whatever asks for these days.
    a_night_later(world, 200)
    world.execute("insert into analytics.stale_days (since) values (current_date - 200)")
    world.execute(JOB)
    assert numbers(world) == before
    assert value(world, "select count(*) from analytics.stale_days") == 0


def test_a_load_says_from_which_day_on(world: psycopg.Connection) -> None:
    happen(world, "ann", "bicycle", "click", 0.5)
    world.execute(JOB)
    happen(world, "bob", "bicycle", "click", 40)
    world.execute(
        "insert into analytics.stale_days (since) values (current_date - 3), (current_date - 41)"
    )
    world.execute(JOB)
    assert by_day(world, "click_count") == {day_of(0.5): 1, day_of(40): 1}
    assert value(world, "select count(*) from analytics.stale_days") == 0


def test_a_run_that_is_killed_leaves_the_old_numbers(
    instance: Instance, world: psycopg.Connection, scratch_name: str
) -> None:
    job = "refresh_analytics"
    happen(world, "ann", "bicycle", "click", 0.01)
    world.execute(JOB)
    before = numbers(world)
    happen(world, "bob", "bicycle", "click", 0.01)
    with instance.connect(scratch_name, autocommit=False) as obstacle:
        # What the feed showed is written by then; the days are not.
        obstacle.execute("lock table analytics.daily_counts in share mode")
        with started(instance, scratch_name, job) as process:
            pid = waiting_pid(world, job)
            assert numbers(world) == before
            world.execute("select pg_terminate_backend(%s)", (pid,))
            until(lambda: process.poll() is not None, "the job ended")
        assert numbers(world) == before
        obstacle.rollback()
    until(lambda: states(world, job) == ["finished", "failed"], "the run has failed")
    world.execute(JOB)
    assert sum(by_day(world, "click_count").values()) == 2


# ---------------------------------------------------------------------- a whole world


def counted(connection: psycopg.Connection) -> list[tuple]:
    """The interactions that count: user, listing, type, when, seconds."""
    posters = dict(connection.execute("select listing_id, poster_uid from feed.listings"))
    first: dict[tuple, datetime] = {}
    seconds: Counter = Counter()
    log = connection.execute(
        """
        select user_uid, listing_id, type::text, created_at, (metadata ->> 'seconds')::float8
        from feed.user_interactions
        """
    )
    for user, listing, kind, at, looked in log:
        if posters[listing] == user:
            continue
        hour = None if kind in ONCE_EVER else at.replace(minute=0, second=0, microsecond=0)
        key = (user, listing, kind, hour)
        first[key] = min(at, first.get(key, at))
        seconds[key] += looked or 0
    return [(*key[:3], at, seconds[key]) for key, at in first.items()]


def test_a_synthetic_world_is_counted_as_python_counts_it(
    instance: Instance, scratch: psycopg.Connection, scratch_name: str
) -> None:
    """The job ran on an empty world before: the load says what it has brought."""
    scratch.execute("set timezone = 'UTC'")
    scratch.execute(JOB)
    done = subprocess.run(
        [sys.executable, "-m", "pgfeed", "synth"],
        env=instance.environment
        | {"PGDATABASE": scratch_name, "PYTHONPATH": str(REPOSITORY / "python")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    scratch.execute(JOB)

    events = counted(scratch)
    shown: dict[tuple, list[tuple]] = defaultdict(list)
    impressions = scratch.execute(
        "select user_uid, listing_id, created_at, profile_name, position from feed.feed_impressions"
    ).fetchall()
    for user, listing, at, profile, position in impressions:
        shown[user, listing].append((at, profile, position))
    for rows in shown.values():
        rows.sort()

    funnel: Counter = Counter()
    users = defaultdict(set)
    feed: dict[tuple, Counter] = defaultdict(Counter)
    for user, _, at, profile, position in impressions:
        funnel[at.date(), "impression"] += 1
        users[at.date(), "impression"].add(user)
        feed[at.date(), profile, position]["impressions"] += 1
    for user, listing, kind, at, looked in events:
        funnel[at.date(), kind] += 1
        users[at.date(), kind].add(user)
        before = shown[user, listing]
        place = bisect_right(before, at, key=lambda row: row[0])
        if not place or before[place - 1][0] < at - timedelta(days=7):
            continue
        _, profile, position = before[place - 1]
        feed[at.date(), profile, position][kind] += 1
        if kind == "view":
            feed[at.date(), profile, position]["seconds"] += looked

    stored = {
        (day, stage): (event_count, user_count)
        for day, stage, event_count, user_count in scratch.execute(
            "select day, stage, event_count, user_count from analytics.funnel where event_count > 0"
        )
    }
    assert stored == {key: (number, len(users[key])) for key, number in funnel.items()}

    found: dict[tuple[date, str, int], list] = {}
    for day, profile, position, *counts in scratch.execute(
        """
        select day, profile_name, position, sum(impression_count)::int, sum(click_count)::int,
            sum(apply_count)::int, sum(view_count)::int, sum(view_seconds)
        from analytics.feed_quality group by day, profile_name, position
        """
    ):
        found[day, profile, position] = counts
    names = ("impressions", "click", "apply", "view", "seconds")
    expected = {
        key: [counts[name] for name in names]
        for key, counts in feed.items()
        if any(counts[name] for name in names)
    }
    assert found == expected

    # Something to look at: both profiles, deep positions, and rates near those of a real feed.
    assert {profile for _, profile, _ in found} == {"default", "nearby"}
    assert max(position for *_, position in found) >= 20
    rate = value(
        scratch,
        "select sum(attributed_click_count) / sum(impression_count) from analytics.daily_metrics",
    )
    assert 0.03 < rate < 0.15
    assert value(scratch, "select count(*) from analytics.cities where user_count >= 5") > 5
    for view in ("component_distribution", "engagement_inequality", "coverage", "quality_by_city"):
        assert value(scratch, f"select count(*) from analytics.{view}") > 0, view
