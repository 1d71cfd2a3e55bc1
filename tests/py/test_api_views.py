"""The views over HTTP: preferences, my_listings, listings, trending, and the upserts."""

import math
import uuid

import psycopg
import pytest

from world import Town, assert_error, fingerprint, hours_ago

pytestmark = pytest.mark.usefixtures("quiet")

PREFERENCES = "/api/v1/preferences"
LISTINGS = "/rest/v1/listings"
WHOLE = {"Prefer": "return=representation"}


# ---------------------------------------------------------------------- preferences


def test_somebody_never_seen_before_has_the_defaults(here: Town) -> None:
    stranger = str(uuid.uuid4())
    assert here.ask(stranger, PREFERENCES) == [
        {
            "user_uid": stranger,
            "max_distance": None,
            "preferred_tags": [],
            "blocked_tags": [],
            "personalization_enabled": True,
            "lat": None,
            "lon": None,
            "updated_at": None,
        }
    ]


@pytest.mark.parametrize("path", ["/api/v1/feed/preferences", "/rest/v1/preferences"])
def test_preferences_are_changed_field_by_field(here: Town, path: str) -> None:
    user = str(uuid.uuid4())

    def patch(**fields: object) -> dict:
        answer = here.call(user, "PATCH", path, json=fields, headers=WHOLE)
        assert answer.status_code == 200, answer.text
        (row,) = answer.json()
        (stored,) = here.ask(user, path)
        assert stored == row
        return row

    first = patch(max_distance=12.5, preferred_tags=[" Jazz", "jazz", "Hiking "])
    assert first["max_distance"] == 12.5
    assert first["preferred_tags"] == ["hiking", "jazz"]
    second = patch(blocked_tags=["Golf"], personalization_enabled=False)
    assert second["blocked_tags"] == ["golf"]
    assert second["preferred_tags"] == ["hiking", "jazz"]
    assert not second["personalization_enabled"]
    third = patch(lat=here.lat, lon=here.lon)
    assert (third["lat"], third["lon"], third["max_distance"]) == (here.lat, here.lon, 12.5)
    fourth = patch(max_distance=None, preferred_tags=[], lat=None, lon=None)
    assert (fourth["max_distance"], fourth["preferred_tags"]) == (None, [])
    assert (fourth["lat"], fourth["lon"]) == (None, None)


def test_preferences_are_ones_own(here: Town, db: psycopg.Connection) -> None:
    user, other = here.user(), here.user(max_distance=7)
    (row,) = here.ask(user, PREFERENCES)
    assert row["user_uid"] == user
    assert here.ask(user, PREFERENCES, user_uid=f"eq.{other}") == []
    before = fingerprint(db)
    answer = here.call(
        user, "PATCH", PREFERENCES, params={"user_uid": f"eq.{other}"}, json={"max_distance": 1}
    )
    assert answer.status_code == 204
    assert fingerprint(db) == before
    assert_error(here.call(None, "GET", PREFERENCES), 401)


# ---------------------------------------------------------------------- my_listings


def test_my_listings_are_saved_applied_and_dismissed_ones(here: Town) -> None:
    user = here.user()
    saved, applied, dismissed, viewed = here.listings([{"title": t} for t in "sadv"])
    times = {"save": hours_ago(3), "apply": hours_ago(2), "dismiss": hours_ago(1)}
    for listing, type in zip((saved, applied, dismissed), times, strict=True):
        here.track(user, listing, type, occurred_at=times[type])
    here.track(user, viewed, "view")
    here.track(user, applied, "save", occurred_at=times["apply"])
    path = "/rest/v1/my_listings"
    assert {row["listing_id"] for row in here.ask(user, path)} == {saved, applied, dismissed}
    by_save = here.ask(user, path, saved_at="not.is.null", order="saved_at.desc")
    assert [row["title"] for row in by_save] == ["a", "s"]
    (row,) = here.ask(user, path, dismissed_at="not.is.null")
    assert row["applied_at"] is None and row["saved_at"] is None
    here.listings([{"listing_id": saved, "status": "closed"}])
    assert len(here.ask(user, path, status="eq.closed")) == 1
    assert here.ask(here.user(), path) == []
    assert_error(here.call(None, "GET", path), 401)


# ---------------------------------------------------------------------- listings


def test_a_poster_writes_their_own_listings(here: Town) -> None:
    poster = str(uuid.uuid4())
    body = {"title": "Piano lesson", "tags": ["Music "], "compensation": 40, "currency": "EUR"}
    place = {"lat": here.lat, "lon": here.lon}
    answer = here.call(poster, "POST", LISTINGS, json=body | place, headers=WHOLE)
    assert answer.status_code == 201, answer.text
    (row,) = answer.json()
    assert row["poster_uid"] == poster
    assert row["tags"] == ["music"]
    assert row["status"] == "open"
    assert (row["lat"], row["lon"]) == (here.lat, here.lon)
    here.posted.append(row["listing_id"])
    own = {"listing_id": f"eq.{row['listing_id']}"}
    change = {"title": "Piano and song", "compensation": 45, "expires_at": "2999-01-01T00:00:00Z"}
    answer = here.call(poster, "PATCH", LISTINGS, params=own, json=change, headers=WHOLE)
    assert answer.status_code == 200, answer.text
    (changed,) = answer.json()
    assert changed == row | change | {"expires_at": "2999-01-01T00:00:00+00:00"}
    answer = here.call(poster, "PATCH", LISTINGS, params=own, json={"status": "closed"})
    assert answer.status_code == 204
    (stored,) = here.ask(None, LISTINGS, **own)
    assert stored == changed | {"status": "closed"}


def test_a_poster_writes_several_at_once(here: Town) -> None:
    poster = str(uuid.uuid4())
    rows = [{"title": title, "lat": here.lat, "lon": here.lon} for title in ("one", "two")]
    answer = here.call(poster, "POST", LISTINGS, json=rows, headers=WHOLE)
    assert answer.status_code == 201, answer.text
    assert [row["title"] for row in answer.json()] == ["one", "two"]
    here.posted += [row["listing_id"] for row in answer.json()]


def test_nobody_changes_somebody_elses_listing(here: Town, db: psycopg.Connection) -> None:
    listing, user = here.listing(), here.user()
    own = {"listing_id": f"eq.{listing}"}
    before = fingerprint(db)
    for params in (own, {}):
        answer = here.call(user, "PATCH", LISTINGS, params=params, json={"status": "closed"})
        assert_error(answer, 403, code="PT403", says="somebody else's listing")
    foreign = {"title": "Not mine", "poster_uid": here.some_poster}
    assert_error(here.call(user, "POST", LISTINGS, json=foreign), 403, code="PT403")
    for method in ("POST", "PATCH", "DELETE"):
        answer = here.call(None, method, LISTINGS, params=own, json={"title": "Nobody's"})
        assert_error(answer, 401)
    answer = here.call(here.some_poster, "DELETE", LISTINGS, params=own)
    assert_error(answer, 403)
    assert fingerprint(db) == before


def test_what_is_set_once_stays(here: Town, db: psycopg.Connection) -> None:
    poster = here.poster()
    listing = here.listing(poster_uid=poster)
    own = {"listing_id": f"eq.{listing}"}
    before = fingerprint(db)
    for change in (
        {"created_at": hours_ago(0)},
        {"poster_uid": here.some_poster},
        {"listing_id": str(uuid.uuid4())},
    ):
        answer = here.call(poster, "PATCH", LISTINGS, params=own, json=change)
        assert_error(answer, 400, code="PT400", says="set once")
    assert {**fingerprint(db), "feed.posters": 0, "feed.users": 0} == {
        **before,
        "feed.posters": 0,
        "feed.users": 0,
    }


def test_a_posters_created_at_is_the_servers(here: Town) -> None:
    poster = str(uuid.uuid4())
    body = {"title": "From tomorrow", "created_at": "2999-01-01T00:00:00Z"}
    answer = here.call(poster, "POST", LISTINGS, json=body, headers=WHOLE)
    assert answer.status_code == 201, answer.text
    (row,) = answer.json()
    here.posted.append(row["listing_id"])
    assert row["created_at"] < "2999"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": None},
        {"title": "   "},
        {"title": "x" * 301},
        {"title": "x", "compensation": -1},
        {"title": "x", "currency": "euro"},
        {"title": "x", "status": "gone"},
        {"title": "x", "lat": 1},
        {"title": "x", "lat": 91, "lon": 0},
        {"title": "x", "attributes": [1]},
        {"title": "x", "url": "javascript:alert(1)"},
        {"title": "x", "expires_at": "soon"},
        {"title": "x", "colour": "red"},
    ],
)
def test_nonsense_is_no_listing(here: Town, db: psycopg.Connection, body: dict) -> None:
    poster = str(uuid.uuid4())
    before = fingerprint(db)
    assert_error(here.call(poster, "POST", LISTINGS, json=body), 400)
    assert fingerprint(db) == before


def test_everybody_reads_listings(here: Town) -> None:
    listings = here.listings({"title": f"Bench {n}", "tags": ["bench"]} for n in range(5))
    some = {"listing_id": f"in.({','.join(listings)})"}
    rows = here.ask(None, LISTINGS, **some, select="title", order="title.desc", limit=2, offset=1)
    assert rows == [{"title": "Bench 3"}, {"title": "Bench 2"}]
    assert len(here.ask(here.user(), LISTINGS, **some, tags="cs.{bench}")) == 5


# ---------------------------------------------------------------------- upserts


def test_upserts_are_idempotent(here: Town, db: psycopg.Connection) -> None:
    user, poster = str(uuid.uuid4()), str(uuid.uuid4())
    calls = {
        "upsert_users": ("users", {"user_uid": user, "lat": 1.5, "lon": 2, "max_distance": 9}),
        "upsert_posters": ("posters", {"poster_uid": poster, "average_rating": 4.5}),
        "upsert_listings": (
            "listings",
            {"poster_uid": poster, "external_id": "a", "title": "A", "lat": 1, "lon": 2},
        ),
    }
    for call, (name, row) in calls.items():
        path = f"/rest/v1/rpc/{call}"
        first = here.send("service_role", path, **{name: [row]})
        assert (first["inserted"], first["updated"]) == (1, 0)
        before = fingerprint(db)
        again = here.send("service_role", path, **{name: [row]})
        assert (again["inserted"], again["updated"]) == (0, 1)
        assert fingerprint(db) == before
        here.posted += first.get("listing_ids", [])
    assert again["listing_ids"] == first["listing_ids"]


def test_an_upsert_keeps_what_it_does_not_name(here: Town) -> None:
    user = here.user(preferred_tags=["jazz"], max_distance=20)
    path = "/rest/v1/rpc/upsert_users"
    here.send("service_role", path, users=[{"user_uid": user, "blocked_tags": ["golf"]}])
    (row,) = here.ask(user, PREFERENCES)
    assert (row["preferred_tags"], row["max_distance"]) == (["jazz"], 20)
    assert row["blocked_tags"] == ["golf"]
    assert math.isclose(row["lat"], here.lat)
    here.send("service_role", path, users=[{"user_uid": user, "max_distance": None}])
    (row,) = here.ask(user, PREFERENCES)
    assert row["max_distance"] is None


def test_a_poster_is_somebody_with_a_feed(here: Town) -> None:
    poster = here.poster(average_rating=4, rating_count=3)
    listing = here.listing(km=None)
    assert listing in here.feed_ids(poster, limit=200)


@pytest.mark.parametrize(
    ("call", "name", "good", "bad"),
    [
        ("upsert_users", "users", {"user_uid": None}, {"user_uid": "ann"}),
        ("upsert_users", "users", {"user_uid": None}, {}),
        ("upsert_users", "users", {"user_uid": None}, {"user_uid": None, "lat": 100, "lon": 0}),
        ("upsert_users", "users", {"user_uid": None}, {"user_uid": None, "max_distance": -1}),
        ("upsert_users", "users", {"user_uid": None}, {"user_uid": None, "colour": "red"}),
        ("upsert_users", "users", {"user_uid": None}, [1]),
        ("upsert_posters", "posters", {"poster_uid": None}, {"average_rating": 4}),
        (
            "upsert_posters",
            "posters",
            {"poster_uid": None},
            {"poster_uid": None, "average_rating": 6},
        ),
        (
            "upsert_posters",
            "posters",
            {"poster_uid": None},
            {"poster_uid": None, "accepted_count": 1, "completed_count": 2},
        ),
        ("upsert_listings", "listings", {"listing_id": None, "title": "x"}, {"title": "no key"}),
        ("upsert_listings", "listings", {"listing_id": None, "title": "x"}, {"listing_id": None}),
        (
            "upsert_listings",
            "listings",
            {"listing_id": None, "title": "x"},
            {"listing_id": None, "title": "x", "compensation": -1},
        ),
        (
            "upsert_listings",
            "listings",
            {"listing_id": None, "title": "x"},
            {"listing_id": None, "title": "x", "created_at": "2999-01-01T00:00:00Z"},
        ),
    ],
)
def test_one_bad_row_keeps_a_batch_out(
    here: Town, db: psycopg.Connection, call: str, name: str, good: dict, bad: dict | list
) -> None:
    def filled(row: dict | list) -> dict | list:
        if isinstance(row, list):
            return row
        new = {key: str(uuid.uuid4()) for key in row if row[key] is None}
        return row | new

    before = fingerprint(db)
    body = {name: [filled(good), filled(bad), filled(good)]}
    answer = here.call("service_role", "POST", f"/rest/v1/rpc/{call}", json=body)
    assert_error(answer, 400, code="PT400", says="row 1")
    assert fingerprint(db) == before


@pytest.mark.parametrize("call", ["upsert_users", "upsert_posters", "upsert_listings"])
def test_upserts_are_for_the_service_role(here: Town, call: str) -> None:
    name = call.removeprefix("upsert_")
    answer = here.call(here.user(), "POST", f"/rest/v1/rpc/{call}", json={name: []})
    assert_error(answer, 403)
    assert_error(here.call(None, "POST", f"/rest/v1/rpc/{call}", json={name: []}), 401)


# ---------------------------------------------------------------------- trending


@pytest.fixture
def trends(here: Town, db: psycopg.Connection) -> list[str]:
    """Five listings, each with one application more than the next, as the jobs leave them."""
    listings = here.listings(
        {"title": f"Trend {n}", "tags": [f"tag{n % 2}"], "compensation": n} for n in range(5)
    )
    users = [here.user() for _ in range(5)]
    for n, listing in enumerate(listings):
        for user in users[n:]:
            here.track(user, listing, "apply")
    db.execute("call jobs.refresh_engagement()")
    db.execute("call jobs.refresh_trending()")
    return listings


@pytest.mark.parametrize("path", ["/api/v1/feed/trending", "/rest/v1/trending"])
def test_trending_is_filtered_ordered_and_paged(here: Town, trends: list[str], path: str) -> None:
    these = {"listing_id": f"in.({','.join(trends)})"}
    rows = here.ask(None, path, **these)
    assert [row["listing_id"] for row in rows] == trends
    scores = [row["trending_score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert math.isclose(scores[0], 50, rel_tol=0.01)
    odd = here.ask(None, path, **these, tags="cs.{tag1}", select="title")
    assert odd == [{"title": "Trend 1"}, {"title": "Trend 3"}]
    page = here.ask(here.user(), path, **these, limit=2, offset=1, order="compensation.desc")
    assert [row["title"] for row in page] == ["Trend 3", "Trend 2"]
    counted = here.call(
        None,
        "GET",
        path,
        params=these,
        headers={"Prefer": "count=exact", "Range-Unit": "items", "Range": "0-1"},
    )
    assert counted.status_code == 206
    assert counted.headers["content-range"] == "0-1/5"


def test_trending_drops_closed_and_expired_listings_at_once(here: Town, trends: list[str]) -> None:
    these = {"listing_id": f"in.({','.join(trends)})"}
    here.listings([{"listing_id": trends[0], "status": "closed"}])
    here.listings([{"listing_id": trends[1], "expires_at": hours_ago(0.01)}])
    rows = here.ask(None, "/api/v1/feed/trending", **these)
    assert [row["listing_id"] for row in rows] == trends[2:]
