"""Bad input gets a status, a code, a message and a hint, and changes nothing in the database."""

import uuid
from collections.abc import Callable

import httpx
import pytest

from harness import Instance
from world import Town, assert_error, hours_ago

pytestmark = pytest.mark.usefixtures("quiet")

FEEDS = ("/api/v1/feed", "/rest/v1/rpc/get_feed")
TRACK = "/api/v1/feed/interactions"
RPC = "/rest/v1/rpc"
NOBODY = "99999999-9999-4999-8999-999999999999"


# ---------------------------------------------------------------------- the feed


@pytest.mark.parametrize("path", FEEDS)
@pytest.mark.parametrize("limit", ["0", "201", "-1", "ten", "", "1.5", "NaN"])
def test_a_bad_limit_on_get(here: Town, refused: Callable, path: str, limit: str) -> None:
    user = here.user()
    refused(
        user, "GET", f"{path}?user_uid={user}&limit={limit}", 400, code="PT400", says="1 to 200"
    )


@pytest.mark.parametrize("path", FEEDS)
@pytest.mark.parametrize("limit", [0, 201, -1, "ten", None, 1.5, [5], 10**12])
def test_a_bad_limit_on_post(here: Town, refused: Callable, path: str, limit: object) -> None:
    user = here.user()
    refused(user, "POST", path, 400, json={"user_uid": user, "limit": limit})


def test_a_bad_limit_on_post_without_the_gateway(
    here: Town, instance: Instance, rest: httpx.Client
) -> None:
    headers = instance.authorization(here.user())
    for limit in (0, 201, -1):
        answer = rest.post("/rpc/get_feed", json={"limit": limit}, headers=headers)
        assert_error(answer, 400, code="PT400", says="1 to 200")
    answer = rest.post("/rpc/get_feed", json={"limit": "ten"}, headers=headers)
    assert answer.status_code == 400
    assert "ten" in answer.json()["message"]


@pytest.mark.parametrize("path", FEEDS)
@pytest.mark.parametrize("user_uid", ["bicycle", "", NOBODY[:-1], NOBODY + "0", "null"])
def test_a_malformed_user_uid(here: Town, refused: Callable, path: str, user_uid: str) -> None:
    for caller in (here.user(), "service_role"):
        refused(caller, "GET", path, 400, params={"user_uid": user_uid})
        refused(caller, "POST", path, 400, json={"user_uid": user_uid})


@pytest.mark.parametrize("path", FEEDS)
def test_an_unknown_or_foreign_user_uid(here: Town, refused: Callable, path: str) -> None:
    user, other = here.user(), here.user()
    for method, where in (("GET", "params"), ("POST", "json")):
        for foreign in (other, NOBODY):
            refused(
                user, method, path, 403, code="PT403", says="else", **{where: {"user_uid": foreign}}
            )
        refused(
            "service_role",
            method,
            path,
            404,
            code="PT404",
            says=NOBODY,
            **{where: {"user_uid": NOBODY}},
        )
        refused("service_role", method, path, 400, code="PT400", says="user_uid is missing")


@pytest.mark.parametrize("path", FEEDS)
def test_other_bad_arguments_of_the_feed(here: Town, refused: Callable, path: str) -> None:
    user = here.user()
    refused(user, "GET", path, 400, params={"exclude": "{bicycle}"})
    refused(user, "GET", path, 400, params={"exclude": "bicycle"})
    refused(user, "POST", path, 400, json={"exclude": ["bicycle"]})
    refused(user, "GET", path, 404, code="PGRST202", params={"colour": "red"})
    refused(user, "POST", path, 404, code="PGRST202", json={"colour": "red"})
    refused(user, "GET", path, 400, params={"as_of": "yesterdayish"})
    refused(user, "POST", path, 400, content="{", headers={"Content-Type": "application/json"})
    refused(user, "GET", path, 400, params={"select": "colour"})
    refused(user, "DELETE", path, 405)


# ---------------------------------------------------------------------- interactions


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"type": "like"}, 400, "like"),
        ({"type": ""}, 400, "unknown interaction type"),
        ({"type": None}, 400, "type is missing"),
        ({}, 400, "type is missing"),
        ({"type": 5}, 400, "unknown interaction type"),
        ({"type": "view; drop table feed.users"}, 400, "unknown interaction type"),
        ({"type": "view", "metadata": []}, 400, "metadata is not an object"),
        ({"type": "view", "metadata": "fast"}, 400, "metadata is not an object"),
        ({"type": "view", "metadata": 42}, 400, "metadata is not an object"),
        ({"type": "view", "metadata": {"seconds": -1}}, 400, "seconds"),
        ({"type": "view", "metadata": {"seconds": "long"}}, 400, "seconds"),
        ({"type": "view", "metadata": {"x": "y" * 4100}}, 400, "4096"),
        ({"type": "view", "metadata": {"x": "\0"}}, 400, ""),
        ({"type": "view", "event_id": "first"}, 400, "first"),
        ({"type": "view", "occurred_at": "2999-01-01T00:00:00Z"}, 400, "future"),
        ({"type": "view", "occurred_at": hours_ago(24 * 7 + 1)}, 400, "7 days"),
        ({"type": "view", "occurred_at": "then"}, 400, "then"),
        ({"type": "view", "listing_id": NOBODY}, 400, "different listings"),
        ({"type": "view", "listing_id": "bicycle"}, 400, "bicycle"),
        ({"type": "view", "user_uid": NOBODY}, 404, ""),
        ({"type": "view", "colour": "red"}, 404, ""),
    ],
)
def test_a_bad_interaction(
    here: Town, refused: Callable, body: dict, status: int, says: str
) -> None:
    refused(here.user(), "POST", f"{TRACK}/{here.listing()}", status, says=says, json=body)


def test_an_interaction_with_no_such_listing(here: Town, refused: Callable) -> None:
    user, stranger = here.user(), str(uuid.uuid4())
    view = {"type": "view"}
    for caller in (user, stranger):
        refused(caller, "POST", f"{TRACK}/{NOBODY}", 404, code="PT404", says=NOBODY, json=view)
    call = f"{RPC}/track_interaction"
    refused(user, "POST", call, 404, code="PT404", json=view | {"listing_id": NOBODY})
    refused(user, "POST", call, 400, code="PT400", says="listing_id is missing", json=view)
    refused(user, "POST", call, 400, json=view | {"listing_id": "bicycle"})
    for malformed in ("bicycle", NOBODY[:-1], NOBODY + "/x", ""):
        refused(user, "POST", f"{TRACK}/{malformed}", 400, json=view)


def test_an_application_to_a_closed_listing(here: Town, refused: Callable) -> None:
    user = here.user()
    for listing in (here.listing(status="closed"), here.listing(expires_at=hours_ago(1))):
        refused(
            user,
            "POST",
            f"{TRACK}/{listing}",
            409,
            code="PT409",
            says="closed",
            json={"type": "apply"},
        )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"events": {}}, "array"),
        ({"events": "view"}, "array"),
        ({"events": None}, "array"),
        ({"events": [1]}, "events[0]"),
        ({"events": [[]]}, "events[0]"),
        ({"events": [{}]}, "events[0]: listing_id is missing"),
        ({"events": [{"listing_id": 5, "type": "view"}]}, "events[0]"),
        ({"events": [], "on_error": "ignore"}, "on_error"),
        ({"events": [], "on_error": None}, "on_error"),
    ],
)
def test_a_bad_batch(here: Town, refused: Callable, body: dict, says: str) -> None:
    refused(here.user(), "POST", TRACK, 400, code="PT400", says=says, json=body)


@pytest.mark.parametrize(
    ("bad", "status", "code"),
    [
        ({"type": "like"}, 400, "PT400"),
        ({"listing_id": NOBODY}, 404, "PT404"),
        ({"listing_id": "bicycle"}, 400, "PT400"),
        ({"listing_id": None}, 400, "PT400"),
        ({"metadata": [1]}, 400, "PT400"),
        ({"event_id": "first"}, 400, "PT400"),
        ({"occurred_at": "yesterday"}, 400, "PT400"),
        ({"occurred_at": "2026-02-30T00:00:00Z"}, 400, "PT400"),
        ({"occurred_at": "2999-01-01T00:00:00Z"}, 400, "PT400"),
        ({"user_uid": NOBODY}, 403, "PT403"),
        ({"user_uid": "ann"}, 400, "PT400"),
        ({"colour": "red"}, 400, "PT400"),
    ],
)
def test_a_batch_with_one_bad_row(
    here: Town, refused: Callable, bad: dict, status: int, code: str
) -> None:
    good = {"listing_id": here.listing(), "type": "view"}
    error = refused(
        here.user(),
        "POST",
        TRACK,
        status,
        code=code,
        says="events[2]",
        json={"events": [good, good, good | bad, good]},
    )
    assert "Nothing of the batch was recorded" in error["hint"]


def test_a_bad_retraction(here: Town, refused: Callable) -> None:
    user = here.user()
    refused(user, "DELETE", f"{TRACK}/{NOBODY}", 404, code="PT404", says=NOBODY)
    refused(user, "DELETE", f"{TRACK}/bicycle", 400)
    refused(user, "POST", f"{RPC}/retract_interaction", 400, json={"event_id": "bicycle"})
    refused(user, "POST", f"{RPC}/retract_interaction", 404, json={})


# ---------------------------------------------------------------------- preferences


@pytest.mark.parametrize("path", ["/api/v1/preferences", "/rest/v1/preferences"])
@pytest.mark.parametrize(
    "body",
    [
        {"colour": "red"},
        {"max_distance": 5, "colour": "red"},
        {"max_distance": -1},
        {"max_distance": 0},
        {"max_distance": "far"},
        {"max_distance": "NaN"},
        {"max_distance": "Infinity"},
        {"preferred_tags": ["jazz"], "blocked_tags": ["jazz"]},
        {"preferred_tags": ["jazz"], "blocked_tags": [" Jazz "]},
        {"preferred_tags": "jazz"},
        {"blocked_tags": [None]},
        {"personalization_enabled": "sometimes"},
        {"lat": 91, "lon": 0},
        {"lat": 0, "lon": 181},
        {"lat": None},
        {"lat": "NaN", "lon": "NaN"},
        {"user_uid": NOBODY},
    ],
)
def test_bad_preferences(here: Town, refused: Callable, path: str, body: dict) -> None:
    refused(here.user(), "PATCH", path, 400, json=body)
    if body != {"lat": None}:
        refused(str(uuid.uuid4()), "PATCH", path, 400, json=body)


def test_a_tag_preferred_before_and_blocked_now(here: Town, refused: Callable) -> None:
    user = here.user(preferred_tags=["jazz"])
    error = refused(user, "PATCH", "/api/v1/preferences", 400, json={"blocked_tags": ["JAZZ"]})
    assert error["message"] == "both preferred and blocked: jazz"


# ---------------------------------------------------------------------- response splitting


def test_a_clients_words_stay_out_of_the_response_headers(here: Town, refused: Callable) -> None:
    """PostgREST writes the message of an error into the status line."""
    user, listing, evil = here.user(), here.listing(), "x\r\nX-Evil: 1\r\n\r\n<script>"
    refused(user, "POST", f"{TRACK}/{listing}", 400, json={"type": evil})
    for field in ("type", "listing_id", "user_uid", "event_id", "occurred_at", evil):
        event = {"listing_id": listing, "type": "view"} | {field: evil}
        refused(user, "POST", TRACK, 400, says="X-Evil", json={"events": [event]})
    tags = {"preferred_tags": [evil], "blocked_tags": [evil]}
    refused(user, "PATCH", "/api/v1/preferences", 400, says="on one line", json=tags)
    for row in ({"user_uid": evil}, {"user_uid": user, evil: 1}):
        refused(
            "service_role", "POST", f"{RPC}/upsert_users", 400, says="X-Evil", json={"users": [row]}
        )
    feed = {"user_uid": user, "profile": evil}
    refused("service_role", "POST", "/api/v1/feed", 404, says="X-Evil", json=feed)
