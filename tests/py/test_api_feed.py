"""The feed over HTTP: how many rows, in which order, with what explanation, for whom."""

import math
import re
import uuid

import pytest

from world import COMPONENTS, SHOWN_COMPONENTS, Town, assert_error, hours_ago

pytestmark = pytest.mark.usefixtures("quiet")

PATHS = ("/api/v1/feed", "/rest/v1/rpc/get_feed")


@pytest.fixture
def crowd(here: Town) -> list[str]:
    """More listings than a feed may have rows."""
    return here.listings({"title": f"Listing {n}", "km": n / 10} for n in range(1, 206))


def test_limit_is_the_number_of_rows(here: Town, crowd: list[str]) -> None:
    user = here.user()
    for limit in [*range(1, 200, 11), 49, 50, 51, 199, 200]:
        for path in PATHS:
            rows = here.ask(user, path, user_uid=user, limit=limit, select="rank")
            assert [row["rank"] for row in rows] == list(range(1, limit + 1)), path


def test_without_limit_the_gateway_sends_50_and_the_function_200(
    here: Town, crowd: list[str]
) -> None:
    user = here.user()
    assert len(here.ask(user, "/api/v1/feed", user_uid=user)) == 50
    assert len(here.ask(user, "/rest/v1/rpc/get_feed", user_uid=user)) == 200
    assert len(here.send(user, "/api/v1/feed")) == 200
    assert len(here.send(user, "/api/v1/feed", limit=3)) == 3
    assert len(here.send(user, "/rest/v1/rpc/get_feed", user_uid=user, limit=200)) == 200


def test_excluding_what_was_shown_gives_the_next_page(here: Town, crowd: list[str]) -> None:
    user = here.user()
    whole = here.feed_ids(user, limit=200)
    by_get, by_post = [], []
    while len(by_get) < 205:
        shown = "{" + ",".join(by_get) + "}"
        by_get += here.feed_ids(user, limit=60, exclude=shown)
    while len(by_post) < 205:
        rows = here.send(user, "/api/v1/feed", limit=60, exclude=by_post)
        by_post += [row["listing_id"] for row in rows]
    assert by_get == by_post
    assert by_get[:200] == whole
    assert sorted(by_get) == sorted(crowd)
    assert here.feed(user, exclude="{" + ",".join(crowd) + "}") == []


def test_exclude_takes_a_thousand_ids_and_not_more(here: Town, crowd: list[str]) -> None:
    user = here.user()
    filler = [str(uuid.uuid4()) for _ in range(1000 - len(crowd))]
    assert here.send(user, "/api/v1/feed", exclude=crowd + filler) == []
    assert here.feed(user, exclude="{" + ",".join(crowd + filler) + "}") == []
    answer = here.call(
        user, "POST", "/api/v1/feed", json={"exclude": [*crowd, *filler, str(uuid.uuid4())]}
    )
    assert_error(answer, 400, code="PT400", says="1000")


def test_a_null_in_exclude_excludes_nothing(here: Town) -> None:
    listing = here.listing()
    body = {"exclude": [None, str(uuid.uuid4())]}
    rows = here.send(here.user(), "/api/v1/feed", **body)
    assert [row["listing_id"] for row in rows] == [listing]


def test_best_first_and_ties_newest_first(here: Town) -> None:
    user = here.user(preferred_tags=["jazz", "hiking"])
    far, near, tagged = here.listings(
        [
            {"title": "far", "km": 40},
            {"title": "near", "km": 1},
            {"title": "tagged", "km": 1, "tags": ["jazz", "hiking"]},
        ]
    )
    # Both long past any recency: the same score to 1e-9.
    older, newer = here.listings(
        [
            {"title": "older", "km": 45, "created_at": hours_ago(24 * 400)},
            {"title": "newer", "km": 45, "created_at": hours_ago(24 * 390)},
        ]
    )
    rows = here.feed(user)
    assert [row["listing_id"] for row in rows] == [tagged, near, far, newer, older]
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]


def test_components_sum_to_the_score(here: Town, crowd: list[str]) -> None:
    user = here.user(preferred_tags=["jazz"])
    here.listing(tags=["jazz", "night"])
    for row in here.feed(user, limit=20):
        assert sorted(row["components"]) == sorted(SHOWN_COMPONENTS)
        parts = row["components"].values()
        assert math.isclose(sum(p["contribution"] for p in parts), row["score"], abs_tol=1e-9)
        assert math.isclose(sum(p["weight"] for p in parts), 1, abs_tol=1e-9)
        for part in parts:
            assert 0 <= part["value"] <= 1
            assert math.isclose(part["contribution"], part["weight"] * part["value"], abs_tol=1e-12)


def test_the_reason_names_the_two_largest_contributions(here: Town) -> None:
    user = here.user(preferred_tags=["jazz", "hiking", "sailing"])
    here.listing(km=1.9, tags=["jazz", "hiking", "sailing", "food"])
    here.listing(km=None)
    here.listing(km=30, created_at=hours_ago(24 * 300))
    first, second, third = here.feed(user)
    assert first["reason"] == "1.9 km away; 3 of 4 tags are yours"
    assert second["reason"] == "not tied to a place; posted just now"
    assert third["reason"] == "30 km away; a new poster"


def test_a_row_holds_the_listing(here: Town) -> None:
    poster = here.poster()
    listing = here.listing(
        poster_uid=poster,
        external_id="e-1",
        title="Night at the barn",
        description="Two bands",
        url="https://example.org/1",
        image_url="https://example.org/1.jpg",
        attributes={"door": "19:30"},
        tags=[" Jazz", "music", "JAZZ"],
        compensation=12.5,
        currency="CHF",
        expires_at="2999-01-01T00:00:00Z",
    )
    (row,) = here.feed(here.user())
    expected = {
        "rank": 1,
        "listing_id": listing,
        "poster_uid": poster,
        "external_id": "e-1",
        "title": "Night at the barn",
        "description": "Two bands",
        "url": "https://example.org/1",
        "image_url": "https://example.org/1.jpg",
        "attributes": {"door": "19:30"},
        "tags": ["jazz", "music"],
        "compensation": 12.5,
        "currency": "CHF",
        "expires_at": "2999-01-01T00:00:00+00:00",
    }
    assert {key: row[key] for key in expected} == expected
    assert math.isclose(row["distance_km"], 1, rel_tol=1e-3)
    assert math.isclose(row["lon"], here.lon)
    assert re.fullmatch(r"[A-Za-z0-9._-]{80,200}", row["ticket"])


def test_the_user_is_the_token_and_need_not_be_named(here: Town, crowd: list[str]) -> None:
    user = here.user()
    assert here.feed_ids(user, limit=9) == here.feed_ids(user, user_uid=user, limit=9)


def test_the_service_role_asks_for_any_user(here: Town, crowd: list[str]) -> None:
    user = here.user(max_distance=5.05)
    own = here.feed_ids(user, limit=200)
    assert len(own) == 50
    assert here.feed_ids("service_role", user_uid=user, limit=200) == own
    rows = here.send("service_role", "/api/v1/feed", user_uid=user)
    assert [row["listing_id"] for row in rows] == own


def test_the_service_role_must_name_a_known_user(here: Town) -> None:
    missing = here.call("service_role", "GET", "/api/v1/feed")
    assert_error(missing, 400, code="PT400", says="user_uid is missing")
    unknown = here.call("service_role", "GET", "/api/v1/feed", params={"user_uid": uuid.uuid4()})
    assert_error(unknown, 404, code="PT404", says="there is no user")


def test_profile_and_as_of_are_for_the_service_role(here: Town) -> None:
    user = here.user()
    old = here.listing("old", created_at=hours_ago(48))
    new = here.listing("new")
    then = hours_ago(24)
    assert set(here.feed_ids("service_role", user_uid=user)) == {old, new}
    assert here.feed_ids("service_role", user_uid=user, as_of=then) == [old]
    assert here.feed_ids("service_role", user_uid=user, profile="default")[0] == new
    for argument in ({"as_of": then}, {"profile": "default"}):
        refused = here.call(user, "GET", "/api/v1/feed", params=argument)
        assert_error(refused, 403, code="PT403", says="service_role only")
        refused = here.call(user, "POST", "/api/v1/feed", json=argument)
        assert_error(refused, 403, code="PT403", says="service_role only")
    unknown = {"user_uid": user, "profile": "nope"}
    answer = here.call("service_role", "GET", "/api/v1/feed", params=unknown)
    assert_error(answer, 404, code="PT404", says="nope")


def test_a_user_never_seen_before_has_a_feed(here: Town) -> None:
    remote = here.listing(km=None)
    near = here.listing()
    stranger = str(uuid.uuid4())
    assert set(here.feed_ids(stranger)) == {remote, near}


def test_postgrest_selects_and_filters_the_rows(here: Town, crowd: list[str]) -> None:
    user = here.user()
    rows = here.feed(user, select="rank,title", title="like.*9", order="rank.desc", limit=3)
    assert [set(row) for row in rows] == [{"rank", "title"}] * 3
    assert all(row["title"].endswith("9") for row in rows)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"status": "closed"}, "closed"),
        ({"expires_at": hours_ago(1)}, "expired"),
        ({"tags": ["golf", "grass"]}, "blocked_tag"),
        ({"km": 60}, "too_far"),
    ],
)
def test_explain_names_what_the_listing_did(here: Town, fields: dict, rule: str) -> None:
    user = here.user(blocked_tags=["golf"])
    listing = here.listing(**fields)
    assert listing not in here.feed_ids(user)
    explained = here.ask(user, f"/api/v1/explain/{listing}")
    assert not explained["in_feed"]
    assert [removed["rule"] for removed in explained["removed_by"]] == [rule]
    assert all(removed["because"] for removed in explained["removed_by"])


@pytest.mark.parametrize(
    ("type", "rules"),
    [
        ("view", {"seen_recently"}),
        ("click", {"seen_recently"}),
        ("save", {"seen_recently"}),
        ("share", {"seen_recently"}),
        ("apply", {"applied", "seen_recently"}),
        ("dismiss", {"dismissed", "seen_recently"}),
    ],
)
def test_explain_names_what_the_user_did(here: Town, type: str, rules: set[str]) -> None:
    user = here.user()
    listing = here.listing()
    here.track(user, listing, type)
    assert here.feed(user) == []
    explained = here.ask(user, f"/api/v1/feed/explain/{listing}", user_uid=user)
    assert {removed["rule"] for removed in explained["removed_by"]} == rules


def test_explain_names_every_rule_at_once(here: Town) -> None:
    poster = here.user(blocked_tags=["golf"])
    listing = here.listing(
        poster_uid=poster, km=60, tags=["golf"], status="closed", expires_at=hours_ago(1)
    )
    explained = here.ask("service_role", f"/api/v1/explain/{listing}", user_uid=poster)
    assert {removed["rule"] for removed in explained["removed_by"]} == {
        "closed",
        "expired",
        "own_listing",
        "blocked_tag",
        "too_far",
    }


def test_explain_agrees_with_the_feed(here: Town) -> None:
    user = here.user(preferred_tags=["jazz"])
    listing = here.listing(km=7, tags=["jazz", "night"], created_at=hours_ago(30))
    (row,) = here.feed(user)
    explained = here.ask(user, f"/api/v1/explain/{listing}")
    assert explained["in_feed"] and explained["removed_by"] == []
    assert explained["reason"] == row["reason"]
    assert math.isclose(explained["score"], row["score"], abs_tol=1e-6)
    assert sorted(explained["facts"]) == sorted(explained["components"]) == sorted(COMPONENTS)
    for name, part in row["components"].items():
        assert math.isclose(part["value"], explained["components"][name]["value"], abs_tol=1e-6)


def test_explain_refuses_what_is_not_there_or_not_ones_own(here: Town) -> None:
    user, other = here.user(), here.user()
    listing = here.listing()
    unknown = here.call(user, "GET", f"/api/v1/explain/{uuid.uuid4()}")
    assert_error(unknown, 404, code="PT404", says="there is no listing")
    foreign = here.call(user, "GET", f"/api/v1/explain/{listing}", params={"user_uid": other})
    assert_error(foreign, 403, code="PT403")
    malformed = here.call(user, "GET", "/api/v1/explain/bicycle")
    assert_error(malformed, 400)
