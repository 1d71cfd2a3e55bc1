"""The usual clients, unmodified, against the gateway's /rest/v1/."""

import json
import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from postgrest import APIError, SyncPostgrestClient

from harness import REPOSITORY, Instance
from world import Town

pytestmark = pytest.mark.usefixtures("quiet")

SCRIPT = REPOSITORY / "tests/py/clients/supabase.js"


@pytest.fixture
def offer(here: Town, db: psycopg.Connection) -> tuple[str, list[str]]:
    """A user, and two listings of which the second trends."""
    user, near, far = here.user(), here.listing(km=1), here.listing(km=30)
    here.track(here.user(), far, "apply")
    db.execute("call jobs.refresh_engagement()")
    db.execute("call jobs.refresh_trending()")
    return user, [near, far]


@pytest.mark.parametrize("client", ["supabase-js", "postgrest-js"])
def test_javascript(
    instance: Instance, tools: Path, offer: tuple[str, list[str]], client: str
) -> None:
    user, (near, far) = offer
    given = {"client": client, "url": instance.url, "token": instance.token(user), "listing": near}
    done = subprocess.run(
        ["node", str(SCRIPT)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "NODE_MODULES": str(tools / "node_modules")},
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)

    assert said["before"] == [near, far]
    status, rows = said["trending"]
    assert status == 200
    assert far in [row["listing_id"] for row in rows]
    status, row = said["preferences"]
    assert status == 200
    assert (row["user_uid"], row["max_distance"]) == (user, 20)
    assert row["preferred_tags"] == ["jazz"]
    status, rows = said["feed_by_get"]
    assert status == 200
    assert [(row["rank"], row["listing_id"]) for row in rows] == [(1, near)]
    status, answer = said["tracked"]
    assert (status, answer["status"]) == (200, "recorded")
    assert said["after"] == []
    status, error = said["refused"]
    assert (status, error["code"]) == (400, "PT400")
    assert "1 to 200" in error["message"] and error["hint"]
    status, error = said["unknown"]
    assert status == 400
    assert "colour" in error["message"] and error["hint"]


@pytest.mark.parametrize("schema", ["public", "api"])
def test_python(instance: Instance, offer: tuple[str, list[str]], schema: str) -> None:
    user, (near, far) = offer
    headers = instance.authorization(user)
    with SyncPostgrestClient(f"{instance.url}/rest/v1", schema=schema, headers=headers) as client:
        feed = client.rpc("get_feed", {"limit": 5}).execute()
        assert [row["listing_id"] for row in feed.data] == [near, far]

        trending = client.from_("trending").select("*").eq("listing_id", far).execute()
        assert trending.data[0]["trending_score"] > 9

        changed = (
            client.from_("preferences")
            .update({"max_distance": 20, "blocked_tags": ["Golf"]})
            .eq("user_uid", user)
            .execute()
        )
        assert changed.data[0]["max_distance"] == 20
        assert changed.data[0]["blocked_tags"] == ["golf"]

        event = {"listing_id": near, "type": "dismiss"}
        assert client.rpc("track_interaction", event).execute().data["status"] == "recorded"
        assert client.rpc("get_feed", {}).execute().data == []

        with pytest.raises(APIError) as refused:
            client.rpc("track_interaction", event | {"type": "like"}).execute()
        assert refused.value.code == "PT400"
        assert "like" in refused.value.message
        assert refused.value.hint
