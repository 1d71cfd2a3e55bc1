"""Interactions over HTTP: recorded once, checked, counted, in batches, and taken back."""

import uuid
from datetime import datetime

import psycopg
import pytest

from world import Town, assert_error, fingerprint, hours_ago

pytestmark = pytest.mark.usefixtures("quiet")

TYPES = ("view", "click", "apply", "save", "share", "dismiss")
BATCH = "/api/v1/feed/interactions"


def metrics(db: psycopg.Connection, listing: str) -> dict[str, int]:
    """The counters of a listing that are not 0, by type."""
    counts = db.execute(
        """
        select view_count, click_count, apply_count, save_count, share_count, dismiss_count
        from feed.engagement_metrics where listing_id = %s
        """,
        (listing,),
    ).fetchone()
    return {type: n for type, n in zip(TYPES, counts or (0,) * 6, strict=True) if n}


def log(here: Town, user: str) -> list[dict]:
    return here.ask(user, "/rest/v1/my_interactions", order="timestamp")


@pytest.mark.parametrize("type", TYPES)
def test_an_interaction_is_recorded_by_path(here: Town, db: psycopg.Connection, type: str) -> None:
    user, listing = here.user(), here.listing()
    answer = here.track(user, listing, type, metadata={"seconds": 42})
    assert answer["status"] == "recorded"
    (row,) = log(here, user)
    assert row == {
        "event_id": answer["event_id"],
        "listing_id": listing,
        "type": type,
        "metadata": {"seconds": 42},
        "timestamp": row["timestamp"],
    }
    assert datetime.fromisoformat(row["timestamp"]) == datetime.fromisoformat(answer["created_at"])
    assert metrics(db, listing) == {type: 1}


def test_an_interaction_is_recorded_by_body(here: Town, db: psycopg.Connection) -> None:
    user, listing = here.user(), here.listing()
    call = "/rest/v1/rpc/track_interaction"
    assert here.send(user, call, listing_id=listing, type="save")["status"] == "recorded"
    assert metrics(db, listing) == {"save": 1}


def test_the_path_names_the_listing_and_no_header_of_the_client_does(
    here: Town, db: psycopg.Connection
) -> None:
    user, listing, other = here.user(), here.listing(), here.listing()
    answer = here.call(
        user,
        "POST",
        f"{BATCH}/{listing}",
        json={"type": "click"},
        headers={"X-Listing-Id": other},
    )
    assert answer.status_code == 200, answer.text
    assert metrics(db, listing) == {"click": 1}
    assert metrics(db, other) == {}
    answer = here.call(
        user,
        "POST",
        "/rest/v1/rpc/track_interaction",
        json={"type": "click"},
        headers={"X-Listing-Id": other},
    )
    assert_error(answer, 400, code="PT400", says="listing_id is missing")


def test_a_user_becomes_known_by_the_first_call(here: Town, db: psycopg.Connection) -> None:
    listing, stranger = here.listing(), str(uuid.uuid4())
    known = "select count(*) from feed.users where user_uid = %s"
    assert here.feed_ids(stranger) == [listing]
    here.track(stranger, listing, "view")
    assert db.execute(known, (stranger,)).fetchone() == (1,)
    assert here.feed_ids("service_role", user_uid=stranger) == []


def test_the_same_event_again_changes_nothing(here: Town, db: psycopg.Connection) -> None:
    user, listing, event = here.user(), here.listing(), str(uuid.uuid4())
    content = {"metadata": {"b": 1, "a": [1, 2]}, "event_id": event}
    first = here.track(user, listing, "view", **content)
    before = fingerprint(db)
    again = here.track(user, listing, "view", metadata={"a": [1, 2], "b": 1}, event_id=event)
    assert again == first | {"status": "duplicate"}
    assert fingerprint(db) == before


@pytest.mark.parametrize(
    "change",
    [{"type": "click"}, {"metadata": {"seconds": 2}}, {"occurred_at": "2 hours ago"}, "listing"],
)
def test_the_same_event_with_other_content_is_a_conflict(
    here: Town, db: psycopg.Connection, change: dict | str
) -> None:
    user, listing, event = here.user(), here.listing(), str(uuid.uuid4())
    content = {"type": "view", "metadata": {"seconds": 1}, "event_id": event}
    content["occurred_at"] = hours_ago(1)
    here.send(user, f"{BATCH}/{listing}", **content)
    before = fingerprint(db)
    if change == "listing":
        listing, change = here.listing(), {}
        before = fingerprint(db)
    if "occurred_at" in change:
        change = {"occurred_at": hours_ago(2)}
    answer = here.call(user, "POST", f"{BATCH}/{listing}", json=content | change)
    assert_error(answer, 409, code="PT409", says="event_id")
    assert fingerprint(db) == before


def test_two_users_may_have_the_same_event_id(here: Town, db: psycopg.Connection) -> None:
    listing, event = here.listing(), str(uuid.uuid4())
    for user in (here.user(), here.user()):
        assert here.track(user, listing, "share", event_id=event)["status"] == "recorded"
    assert metrics(db, listing) == {"share": 2}


def test_an_offline_event_has_its_own_time(here: Town) -> None:
    user, listing, then = here.user(), here.listing(created_at=hours_ago(100)), hours_ago(50)
    answer = here.track(user, listing, "view", occurred_at=then)
    assert datetime.fromisoformat(answer["created_at"]) == datetime.fromisoformat(then)
    (row,) = log(here, user)
    assert datetime.fromisoformat(row["timestamp"]) == datetime.fromisoformat(then)


def test_what_counts(here: Town, db: psycopg.Connection) -> None:
    """Once an hour for view, click and share; once ever for the rest; the log keeps all."""
    user, listing = here.user(), here.listing()
    times = [hours_ago(hours) for hours in (30, 29.9, 50, 0)]
    for type in TYPES:
        for time in times:
            here.track(user, listing, type, occurred_at=time)
    hours = {time[:13] for time in times}
    expected = {type: len(hours) for type in ("view", "click", "share")}
    assert metrics(db, listing) == expected | {"apply": 1, "save": 1, "dismiss": 1}
    assert len(log(here, user)) == 24


def test_a_posters_own_interactions_never_count(here: Town, db: psycopg.Connection) -> None:
    poster = here.poster()
    listing = here.listing(poster_uid=poster)
    for type in TYPES:
        assert here.track(poster, listing, type)["status"] == "recorded"
    assert metrics(db, listing) == {}
    assert len(log(here, poster)) == 6


def test_closed_and_expired_listings_take_all_but_applications(here: Town) -> None:
    user = here.user()
    for listing in (here.listing(status="closed"), here.listing(expires_at=hours_ago(1))):
        for type in ("view", "click", "save", "share", "dismiss"):
            assert here.track(user, listing, type)["status"] == "recorded"
        answer = here.call(user, "POST", f"{BATCH}/{listing}", json={"type": "apply"})
        assert_error(answer, 409, code="PT409", says="closed")


def test_a_repeated_application_to_a_listing_closed_since_is_a_duplicate(here: Town) -> None:
    user, listing, event = here.user(), here.listing(), str(uuid.uuid4())
    here.track(user, listing, "apply", event_id=event)
    here.listings([{"listing_id": listing, "status": "closed"}])
    assert here.track(user, listing, "apply", event_id=event)["status"] == "duplicate"


# ---------------------------------------------------------------------- batches


def test_a_batch_is_recorded(here: Town, db: psycopg.Connection) -> None:
    user, listings = here.user(), here.listings([{}, {}, {}])
    events = [{"listing_id": listing, "type": "save"} for listing in listings]
    outcomes = here.send(user, BATCH, events=events)
    assert [o["index"] for o in outcomes] == [0, 1, 2]
    assert {o["status"] for o in outcomes} == {"recorded"}
    assert all(metrics(db, listing) == {"save": 1} for listing in listings)
    assert {row["event_id"] for row in log(here, user)} == {o["event_id"] for o in outcomes}


def test_one_bad_event_aborts_the_batch(here: Town, db: psycopg.Connection) -> None:
    user, listing = here.user(), here.listing()
    good = {"listing_id": listing, "type": "view"}
    before = fingerprint(db)
    for bad, status in (
        ({"listing_id": listing, "type": "like"}, 400),
        ({"listing_id": str(uuid.uuid4()), "type": "view"}, 404),
        ({"listing_id": listing, "type": "view", "colour": "red"}, 400),
        ({"listing_id": listing, "type": "view", "user_uid": here.some_poster}, 403),
        ("view", 400),
    ):
        before = fingerprint(db)
        for on_error in ({}, {"on_error": "abort"}):
            answer = here.call(user, "POST", BATCH, json={"events": [good, bad, good]} | on_error)
            error = assert_error(answer, status, says="events[1]")
            assert "Nothing of the batch was recorded" in error["hint"]
            assert fingerprint(db) == before


def test_skipping_records_the_good_ones(here: Town, db: psycopg.Connection) -> None:
    user, listing, closed = here.user(), here.listing(), here.listing(status="closed")
    event = str(uuid.uuid4())
    events = [
        {"listing_id": listing, "type": "view", "event_id": event},
        {"listing_id": listing, "type": "like"},
        {"listing_id": listing, "type": "view", "event_id": event},
        {"listing_id": closed, "type": "apply"},
        {"listing_id": listing, "type": "click", "event_id": event},
        {"listing_id": listing, "type": "save"},
    ]
    outcomes = here.send(user, BATCH, events=events, on_error="skip")
    assert [(o["index"], o["status"]) for o in outcomes] == [
        (0, "recorded"),
        (1, "error"),
        (2, "duplicate"),
        (3, "error"),
        (4, "error"),
        (5, "recorded"),
    ]
    codes = {o["index"]: o["error"]["code"] for o in outcomes if o["status"] == "error"}
    assert codes == {1: "PT400", 3: "PT409", 4: "PT409"}
    assert all(o["error"]["hint"] for o in outcomes if o["status"] == "error")
    assert metrics(db, listing) == {"view": 1, "save": 1}
    assert metrics(db, closed) == {}


def test_a_batch_again_changes_nothing(here: Town, db: psycopg.Connection) -> None:
    user, listings = here.user(), here.listings([{}, {}])
    events = [
        {"listing_id": listing, "type": type, "event_id": str(uuid.uuid4())}
        for listing in listings
        for type in TYPES
    ]
    here.send(user, BATCH, events=events)
    before = fingerprint(db)
    outcomes = here.send(user, BATCH, events=list(reversed(events)))
    assert {o["status"] for o in outcomes} == {"duplicate"}
    assert fingerprint(db) == before


def test_the_service_role_records_for_many_users(here: Town, db: psycopg.Connection) -> None:
    users, listing = [here.user(), here.user()], here.listing()
    events = [{"listing_id": listing, "type": "apply", "user_uid": user} for user in users]
    here.send("service_role", BATCH, events=events)
    assert metrics(db, listing) == {"apply": 2}
    assert [len(log(here, user)) for user in users] == [1, 1]
    for who, status, says in (
        ({}, 400, "user_uid is missing"),
        ({"user_uid": str(uuid.uuid4())}, 404, "there is no user"),
    ):
        event = {"listing_id": listing, "type": "view"} | who
        answer = here.call("service_role", "POST", BATCH, json={"events": [event]})
        assert_error(answer, status, says=says)


def test_a_batch_has_at_most_a_thousand_events(here: Town) -> None:
    user, listing = here.user(), here.listing()
    event = {"listing_id": listing, "type": "view"}
    assert here.send(user, BATCH, events=[]) == []
    assert len(here.send(user, BATCH, events=[event] * 1000)) == 1000
    assert len(log(here, user)) == 1000
    answer = here.call(user, "POST", BATCH, json={"events": [event] * 1001})
    assert_error(answer, 400, code="PT400", says="1000")


# ---------------------------------------------------------------------- undo


@pytest.mark.parametrize("type", TYPES)
def test_retracting_undoes_exactly(here: Town, db: psycopg.Connection, type: str) -> None:
    user, listing = here.user(), here.listing()
    here.track(user, listing, "view", occurred_at=hours_ago(5))
    here.track(user, listing, "save", occurred_at=hours_ago(4))
    states = "select s::text from feed.user_listing_states as s order by 1"
    counts = metrics(db, listing)
    before = db.execute(states).fetchall()
    event = here.track(user, listing, type)
    assert db.execute(states).fetchall() != before
    answer = here.call(user, "DELETE", f"{BATCH}/{event['event_id']}")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "event_id": event["event_id"],
        "status": "retracted",
        "listing_id": listing,
        "type": type,
    }
    assert db.execute(states).fetchall() == before
    assert metrics(db, listing) == counts
    assert len(log(here, user)) == 2


def test_an_event_is_retracted_once_and_by_its_user_only(
    here: Town, db: psycopg.Connection
) -> None:
    user, other, listing = here.user(), here.user(), here.listing()
    event = here.track(user, listing, "dismiss")["event_id"]
    before = fingerprint(db)
    answer = here.call(other, "DELETE", f"{BATCH}/{event}")
    assert_error(answer, 404, code="PT404", says=event)
    assert fingerprint(db) == before
    assert here.call(user, "DELETE", f"{BATCH}/{event}").status_code == 200
    answer = here.call(user, "DELETE", f"{BATCH}/{event}")
    assert_error(answer, 404, code="PT404")
    assert_error(here.call(None, "DELETE", f"{BATCH}/{event}"), 401)


def test_a_retracted_event_may_be_recorded_again(here: Town, db: psycopg.Connection) -> None:
    user, listing, event = here.user(), here.listing(), str(uuid.uuid4())
    here.track(user, listing, "save", event_id=event)
    here.send(user, "/rest/v1/rpc/retract_interaction", event_id=event)
    assert metrics(db, listing) == {}
    assert here.track(user, listing, "save", event_id=event)["status"] == "recorded"
    assert metrics(db, listing) == {"save": 1}


def test_retracting_one_of_two_keeps_the_count_of_the_other(
    here: Town, db: psycopg.Connection
) -> None:
    user, listing = here.user(), here.listing()
    first = here.track(user, listing, "save", occurred_at=hours_ago(2))
    second = here.track(user, listing, "save", occurred_at=hours_ago(1))
    here.call(user, "DELETE", f"{BATCH}/{first['event_id']}")
    assert metrics(db, listing) == {"save": 1}
    (row,) = here.ask(user, "/rest/v1/my_listings")
    assert datetime.fromisoformat(row["saved_at"]) == datetime.fromisoformat(second["created_at"])
    here.call(user, "DELETE", f"{BATCH}/{second['event_id']}")
    assert metrics(db, listing) == {}
    assert here.ask(user, "/rest/v1/my_listings") == []
