"""The page at /rest/v1/ is the client's manual: everything that a role may call is explained."""

import httpx
import pytest

from harness import Instance

CALLS = {
    "get_feed",
    "explain_listing",
    "track_interaction",
    "track_interactions",
    "retract_interaction",
    "track_impressions",
    "export_my_data",
    "delete_my_data",
}
VIEWS = {"preferences", "my_listings", "my_interactions", "listings", "trending"}
SERVICE_CALLS = {"upsert_users", "upsert_posters", "upsert_listings", "replication_state"}


@pytest.fixture
def page(instance: Instance, gateway: httpx.Client) -> dict:
    """What a user sees."""
    answer = gateway.get("/rest/v1/", headers=instance.authorization(instance_user()))
    assert answer.status_code == 200, answer.text
    return answer.json()


def instance_user() -> str:
    return "0b000000-0000-4000-8000-000000000001"


def paths(page: dict) -> set[str]:
    return {path.lstrip("/") for path in page["paths"]} - {""}


def test_a_user_sees_what_a_user_may_call(page: dict) -> None:
    assert paths(page) == VIEWS | {f"rpc/{call}" for call in CALLS}


def test_the_service_role_sees_its_calls_too(instance: Instance, gateway: httpx.Client) -> None:
    answer = gateway.get("/rest/v1/", headers=instance.authorization(role="service_role"))
    assert paths(answer.json()) == VIEWS | {f"rpc/{call}" for call in CALLS | SERVICE_CALLS}


def test_nobody_in_particular_sees_what_is_public(gateway: httpx.Client) -> None:
    assert paths(gateway.get("/rest/v1/").json()) == {"listings", "trending"}


def test_every_call_has_a_summary_and_a_description(page: dict) -> None:
    for path, methods in page["paths"].items():
        if path == "/":
            continue
        for method, call in methods.items():
            assert call.get("summary"), (path, method)
            assert call.get("description"), (path, method)
            # A line of a COMMENT is at most 100 characters: the first is the summary.
            assert "\n" not in call["summary"]


def test_every_column_is_explained(page: dict) -> None:
    assert set(page["definitions"]) == VIEWS
    for view, definition in page["definitions"].items():
        assert definition["description"], view
        for column, described in definition["properties"].items():
            assert described.get("description"), (view, column)


def test_the_page_says_what_this_is_and_where(page: dict, instance: Instance) -> None:
    assert page["info"]["title"] == "pgfeed: a personalised listing feed"
    assert "Authorization: Bearer" in page["info"]["description"]
    assert f"http://{page['host']}{page['basePath']}" == f"{instance.url}/rest/v1"
