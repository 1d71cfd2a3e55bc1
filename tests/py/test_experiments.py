"""Experiments over HTTP: whoever is in one, from its commit on, to what analysts read."""

import hashlib
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from harness import Instance
from test_jobs import value
from world import COMPONENTS, Town, assert_error

pytestmark = pytest.mark.usefixtures("quiet")

IMPRESSIONS = "/api/v1/feed/impressions"


def bucket(user: str) -> int:
    """As feed.bucket_of says it does."""
    return int.from_bytes(hashlib.sha256(uuid.UUID(user).bytes).digest()[:4]) % 1000


@pytest.fixture
def operator(db: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """Who starts and stops experiments; a profile by which only what is new counts."""
    db.execute(
        """
        insert into feed.ranking_profiles (
            profile_name, location_weight, tag_weight, engagement_weight, recency_weight,
            poster_weight, collaborative_weight, content_weight
        )
        values ('newest', 0, 0, 0, 1, 0, 0, 0)
        on conflict do nothing
        """
    )
    yield db
    db.execute("delete from feed.experiments")


def start(operator: psycopg.Connection, first: int, last: int) -> None:
    operator.execute("delete from feed.experiments")
    operator.execute(
        "insert into feed.experiments (profile_name, buckets) values ('newest', %s::int4range)",
        (f"[{first},{last}]",),
    )


def recency_weight(town: Town, user: str) -> float:
    return town.feed(user, limit=1)[0]["components"]["recency"]["weight"]


def test_an_experiment_counts_from_its_commit_on(here: Town, operator: psycopg.Connection) -> None:
    user = here.user()
    near, far = here.listings([{"km": 1}, {"km": 40}])
    own = bucket(user)
    assert value(operator, "select feed.bucket_of(%s)", user) == own
    assert here.feed_ids(user) == [near, far]

    start(operator, own, own)
    assert recency_weight(here, user) == 1
    explained = here.ask(user, f"/api/v1/feed/explain/{far}")
    assert explained["profile"] == "newest"
    assert explained["components"]["recency"]["weight"] == 1
    # Widened to everybody: nothing changes for who is in it.
    start(operator, 0, 999)
    assert recency_weight(here, user) == 1
    start(operator, (own + 1) % 1000, (own + 1) % 1000)
    assert recency_weight(here, user) == 0.1
    operator.execute("delete from feed.experiments")
    assert recency_weight(here, user) == 0.1


def test_who_asks_by_profile_gets_it(here: Town, operator: psycopg.Connection) -> None:
    user = here.user()
    here.listing()
    start(operator, 0, 999)
    rows = here.send(
        "service_role", "/rest/v1/rpc/get_feed", user_uid=user, limit=1, profile="default"
    )
    assert rows[0]["components"]["recency"]["weight"] == 0.1
    assert_error(here.call(user, "POST", "/rest/v1/rpc/get_feed", json={"profile": "newest"}), 403)


def test_nobody_moves_users_over_http(here: Town, operator: psycopg.Connection) -> None:
    row = {"profile_name": "newest", "buckets": "[0,1000)"}
    for caller in (here.user(), "service_role", None):
        for path, headers in (
            ("/rest/v1/experiments", {}),
            ("/rest/v1/experiments", {"Content-Profile": "feed"}),
        ):
            answer = here.call(caller, "POST", path, json=row, headers=headers)
            assert answer.status_code in (401, 403, 404, 406), (caller, answer.status_code)
    assert value(operator, "select count(*) from feed.experiments") == 0


def test_the_impression_keeps_what_the_row_was_made_of(
    here: Town, operator: psycopg.Connection
) -> None:
    user = here.user(preferred_tags=["jazz"])
    here.listings([{"km": 1, "tags": ["jazz", "bike"]}, {"km": 30}, {"km": None}])
    start(operator, 0, 999)
    rows = here.feed(user)
    assert here.send(user, IMPRESSIONS, tickets=[row["ticket"] for row in rows])["recorded"] == 3
    exported = here.ask(user, "/rest/v1/rpc/export_my_data")["impressions"]
    assert [row["profile_name"] for row in exported] == ["newest"] * 3
    names = value(operator, "select feed.component_names()")
    assert set(names) >= set(COMPONENTS)
    for row, impression in zip(rows, exported, strict=True):
        for name, kept in zip(names, impression["components"], strict=True):
            given = row["components"].get(name)
            assert (kept is None) == (given is None), name
            assert given is None or abs(kept - given["value"]) < 1e-5, name

    assert here.send(user, "/rest/v1/rpc/delete_my_data")["impressions"] == 3
    left = "select count(*) from feed.feed_impressions where user_uid = %s"
    assert value(operator, left, user) == 0


def test_a_ticket_of_the_former_release_is_still_good(
    here: Town, operator: psycopg.Connection
) -> None:
    """An upgrade happens while clients hold tickets, signed as they were: without components."""
    user, listing = here.user(), here.listing()
    (ticket,) = operator.execute(
        """
        select b.body || '.' || feed.ticket_signature(k.secret, %(user)s, b.body)
        from feed.ticket_keys as k
        cross join lateral (
            select concat_ws(
                '.', k.key_no, replace(%(listing)s, '-', ''), 1, 430000000,
                (extract(epoch from now()) * 1000000)::bigint, 'default'
            )
        ) as b (body)
        order by k.key_no desc
        limit 1
        """,
        {"user": user, "listing": listing},
    ).fetchone()
    assert here.send(user, IMPRESSIONS, tickets=[ticket])["recorded"] == 1
    query = """
        select score, profile_name, components from feed.feed_impressions where user_uid = %s
    """
    assert operator.execute(query, (user,)).fetchall() == [(0.43, "default", None)]


def test_analysts_read_how_it_went(
    here: Town, operator: psycopg.Connection, instance: Instance
) -> None:
    """Counted hourly in the first two days, and in the first run of a day."""
    users = [here.user() for _ in range(8)]
    listings = here.listings({"km": km} for km in (1, 2, 3))
    cut = sorted(map(bucket, users))[3]
    start(operator, 0, cut)
    for user in users:
        here.send(user, IMPRESSIONS, tickets=[row["ticket"] for row in here.feed(user)])
    for user in users[:3]:
        here.track(user, listings[0], "click")
    operator.execute("call jobs.refresh_analytics()")

    # The same again, from what is known of each user.
    expected = {
        profile: (
            sum(user in users[:3] for user in users if (bucket(user) <= cut) == is_in),
            3 * sum((bucket(user) <= cut) == is_in for user in users),
        )
        for profile, is_in in (("newest", True), ("default", False))
    }
    analyst = instance.authorization(role="feed_analyst")
    answer = here.call(
        None,
        "GET",
        "/api/v1/analytics/experiment_results",
        params={"measure": "eq.click_through_rate"},
        headers=analyst,
    )
    assert answer.status_code == 200
    found = {row["profile_name"]: row for row in answer.json()}
    assert {
        profile: (row["numerator"], row["denominator"]) for profile, row in found.items()
    } == expected
    assert found["newest"]["share_of_users"] == pytest.approx((cut + 1) / 1000)
    assert found["default"]["difference"] is None

    counted = "select max(refreshed_at) from analytics.experiment_counts"
    before = value(operator, counted)
    operator.execute("call jobs.refresh_analytics()")
    assert value(operator, counted) > before
    # Later it reads too much to be counted every hour.
    operator.execute("update feed.experiments set started_at = now() - interval '3 days'")
    before = value(operator, counted)
    operator.execute("call jobs.refresh_analytics()")
    assert value(operator, counted) == before
    operator.execute(
        "update analytics.refresh_parameters set recounted_at = now() - interval '1 day'"
    )
    operator.execute("call jobs.refresh_analytics()")
    assert value(operator, counted) > before
