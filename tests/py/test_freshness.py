"""What was committed counts in the very next feed, with no job run in between."""

from collections.abc import Iterator

import psycopg
import pytest

from world import Town, hours_ago

pytestmark = pytest.mark.usefixtures("quiet")


def test_a_dismissed_listing_is_gone_and_comes_back_when_retracted(here: Town) -> None:
    user = here.user()
    first, second = here.listing(km=1), here.listing(km=2)
    assert here.feed_ids(user) == [first, second]
    event = here.track(user, first, "dismiss")
    assert here.feed_ids(user) == [second]
    undone = here.call(user, "DELETE", f"/api/v1/feed/interactions/{event['event_id']}")
    assert undone.status_code == 200, undone.text
    assert here.feed_ids(user) == [first, second]


def test_a_dismissal_is_the_users_own(here: Town) -> None:
    user, other = here.user(), here.user()
    listing = here.listing()
    here.track(user, listing, "dismiss")
    assert here.feed_ids(user) == []
    assert here.feed_ids(other) == [listing]


@pytest.mark.parametrize("type", ["view", "click", "save", "share", "apply"])
def test_what_was_seen_is_gone_and_comes_back_when_retracted(here: Town, type: str) -> None:
    user = here.user()
    listing = here.listing()
    event = here.track(user, listing, type)
    assert here.feed_ids(user) == []
    here.send(user, "/rest/v1/rpc/retract_interaction", event_id=event["event_id"])
    assert here.feed_ids(user) == [listing]


def test_a_new_listing_is_there(here: Town) -> None:
    user, poster = here.user(), here.user()
    assert here.feed_ids(user) == []
    place = {"lat": here.lat, "lon": here.lon}
    answer = here.call(
        poster,
        "POST",
        "/rest/v1/listings",
        json={"title": "Fresh bread"} | place,
        headers={"Prefer": "return=representation"},
    )
    assert answer.status_code == 201, answer.text
    (written,) = answer.json()
    here.posted.append(written["listing_id"])
    assert here.feed_ids(user) == [written["listing_id"]]
    assert here.feed_ids(poster) == []


def test_a_closed_listing_is_gone_and_back_when_opened(here: Town) -> None:
    user, poster = here.user(), here.poster()
    listing = here.listing(poster_uid=poster)
    assert here.feed_ids(user) == [listing]
    for status, expected in (("closed", []), ("open", [listing])):
        answer = here.call(
            poster,
            "PATCH",
            f"/rest/v1/listings?listing_id=eq.{listing}",
            json={"status": status},
        )
        assert answer.status_code == 204, answer.text
        assert here.feed_ids(user) == expected


def test_an_expired_listing_is_gone(here: Town) -> None:
    user = here.user()
    listing = here.listing(expires_at="2999-01-01T00:00:00Z")
    assert here.feed_ids(user) == [listing]
    here.listings([{"listing_id": listing, "km": None, "expires_at": hours_ago(0.01)}])
    assert here.feed_ids(user) == []


def test_changed_preferences_rule_the_next_feed(here: Town) -> None:
    user = here.user()
    near, far, tagged = here.listings(
        [{"km": 1}, {"km": 40}, {"km": 20, "tags": ["jazz", "night"]}]
    )

    def prefer(**fields: object) -> list[str]:
        answer = here.call(user, "PATCH", "/api/v1/preferences", json=fields)
        assert answer.status_code == 204, answer.text
        return here.feed_ids(user)

    assert here.feed_ids(user) == [near, tagged, far]
    assert prefer(preferred_tags=["Jazz ", "night"]) == [tagged, near, far]
    assert prefer(preferred_tags=[], blocked_tags=["night"]) == [near, far]
    assert prefer(blocked_tags=[], max_distance=10) == [near]
    assert prefer(max_distance=None) == [near, tagged, far]
    north = here.lat + 40 / 111.195
    assert prefer(lat=north, lon=here.lon, max_distance=50) == [far, tagged, near]


def test_a_changed_listing_is_ranked_as_it_is_now(here: Town) -> None:
    user = here.user(preferred_tags=["jazz"])
    first, second = here.listing(km=1), here.listing(km=2)
    assert here.feed_ids(user) == [first, second]
    here.listings([{"listing_id": second, "km": 2, "tags": ["jazz"]}])
    rows = here.feed(user)
    assert [row["listing_id"] for row in rows] == [second, first]
    assert rows[0]["components"]["tag"]["value"] == 1


def test_a_posters_rating_counts_at_once(here: Town) -> None:
    user = here.user()
    poster = here.poster()
    here.listing(poster_uid=poster)

    def poster_value() -> float:
        (row,) = here.feed(user)
        return row["components"]["poster"]["value"]

    unrated = poster_value()
    here.send(
        "service_role",
        "/rest/v1/rpc/upsert_posters",
        posters=[{"poster_uid": poster, "average_rating": 5, "rating_count": 40}],
    )
    assert poster_value() > unrated


@pytest.fixture
def choices_profile(db: psycopg.Connection) -> Iterator[str]:
    """A profile that weighs what the user chose, and a model in force."""
    db.execute("call jobs.train_models()")
    db.execute(
        """
        insert into feed.ranking_profiles (
            profile_name, location_weight, tag_weight, engagement_weight, recency_weight,
            poster_weight, collaborative_weight, content_weight, poster_affinity_weight,
            item_similarity_weight
        )
        values ('choices', 0.2, 0, 0, 0, 0, 0, 0, 0.3, 0.5)
        """
    )
    yield "choices"
    db.execute("delete from feed.ranking_profiles where profile_name = 'choices'")


def test_a_click_changes_the_next_feed_where_choices_are_weighed(
    here: Town, db: psycopg.Connection, choices_profile: str
) -> None:
    """Both what goes with the listing and what else its poster has; `default` weighs neither."""
    user, poster = here.user(), here.poster()
    chosen, near, related, of_poster = here.listings(
        [{"km": 1, "poster_uid": poster}, {"km": 2}, {"km": 3}, {"km": 4, "poster_uid": poster}]
    )
    db.execute(
        """
        insert into ml.listing_neighbors (model_id, listing_no, neighbor_nos, similarities)
        select c.model_id, a.listing_no, array[b.listing_no], '{1}'
        from ml.current_model as c, feed.listings as a, feed.listings as b
        where a.listing_id = %s and b.listing_id = %s
        """,
        (chosen, related),
    )

    def feed(profile: str = choices_profile) -> list[tuple[str, str]]:
        rows = here.send(
            "service_role", "/rest/v1/rpc/get_feed", user_uid=user, profile=profile, limit=10
        )
        return [(row["listing_id"], row["reason"]) for row in rows]

    assert [listing for listing, _ in feed()] == [chosen, near, related, of_poster]
    click = here.track(user, chosen, "click")
    assert [listing for listing, _ in feed("default")] == [near, related, of_poster]
    first, second, third = feed()
    assert [first[0], second[0], third[0]] == [related, of_poster, near]
    assert "goes with 1 listing you chose lately" in first[1], first
    assert "you chose 1 listing of this poster" in second[1], second
    here.send(user, "/rest/v1/rpc/retract_interaction", event_id=click["event_id"])
    assert [listing for listing, _ in feed()] == [chosen, near, related, of_poster]
    here.track(user, chosen, "apply")
    first, second, third = feed()
    assert first[1].startswith("goes with 1 listing"), first
    here.send(user, "/rest/v1/rpc/delete_my_data")
    here.send(
        "service_role",
        "/rest/v1/rpc/upsert_users",
        users=[{"user_uid": user, "lat": here.lat, "lon": here.lon, "max_distance": 50}],
    )
    assert [listing for listing, _ in feed()] == [chosen, near, related, of_poster]
