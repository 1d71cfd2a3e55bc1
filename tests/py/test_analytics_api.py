"""Analysts read the schema analytics over HTTP; nobody else does, and they read nothing else."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import psycopg
import pytest

from harness import Instance
from world import Town, assert_error, fingerprint

pytestmark = pytest.mark.usefixtures("quiet")

PATH = "/api/v1/analytics"
PROFILE = {"Accept-Profile": "analytics"}

# Ways to the view job_health: path, headers.
WAYS = [
    (f"{PATH}/job_health", {}),
    (f"{PATH}/job_health", {"Accept-Profile": "api"}),
    (f"{PATH}/job_health?select=job&limit=1", PROFILE),
    ("/rest/v1/job_health", PROFILE),
]


@pytest.fixture
def analyst(instance: Instance) -> dict[str, str]:
    return instance.authorization(role="feed_analyst")


@pytest.fixture
def others(instance: Instance, here: Town) -> dict[str, tuple[dict[str, str], int]]:
    """Everybody else, and the status that they get."""
    expired = {"role": "feed_analyst", "exp": datetime.now(UTC) - timedelta(minutes=5)}
    forged = {"role": "feed_analyst", "exp": datetime.now(UTC) + timedelta(minutes=5)}
    return {
        "nobody": ({}, 401),
        "a user": (instance.authorization(here.user()), 403),
        "a poster": (instance.authorization(here.some_poster), 403),
        "a stranger": (instance.authorization(uuid.uuid4()), 403),
        "the application": (instance.authorization(role="service_role"), 403),
        "anon": (instance.authorization(role="anon"), 401),
        "who was an analyst": (bearer(jwt.encode(expired, instance.secret)), 401),
        "who would be one": (bearer(jwt.encode(forged, "another key, and long: 0123456789")), 401),
    }


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def columns(db: psycopg.Connection) -> dict[str, list[str]]:
    """What an analyst may read, by the catalogue."""
    rows = db.execute(
        """
        select c.relname, array_agg(a.attname::text order by a.attnum)
        from pg_class as c
        inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'analytics'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
            and has_table_privilege('feed_analyst', c.oid, 'select')
        group by c.relname
        """
    )
    return dict(rows.fetchall())


def test_an_analyst_reads_every_view(
    gateway: httpx.Client, db: psycopg.Connection, analyst: dict
) -> None:
    views = columns(db)
    assert {"trending_listings", "listing_engagement", "job_health"} <= set(views)
    for view, names in views.items():
        answer = gateway.get(f"{PATH}/{view}?limit=3", headers=analyst)
        assert answer.status_code == 200, (view, answer.text)
        assert all(list(row) == names for row in answer.json()), view
        # Every column by its name.
        answer = gateway.get(f"{PATH}/{view}?limit=0&select={','.join(names)}", headers=analyst)
        assert answer.status_code == 200, (view, answer.text)
    head = gateway.head(f"{PATH}/job_health", headers=analyst | {"Prefer": "count=exact"})
    assert head.status_code == 200 and not head.content


def test_the_list_of_views(gateway: httpx.Client, db: psycopg.Connection, analyst: dict) -> None:
    """Each with its meaning; the definitions themselves are in view_definitions."""
    answer = gateway.get(PATH, headers=analyst)
    assert answer.status_code == 200, answer.text
    listed = {row["view_name"]: row["description"] for row in answer.json()}
    assert set(listed) == {
        name
        for (name,) in db.execute(
            "select relname from pg_class"
            " where relnamespace = 'analytics'::regnamespace and relkind = 'v'"
        )
    }
    assert all(listed.values())
    db.execute("set search_path = pg_catalog")
    described = db.execute(
        "select obj_description('analytics.job_health'::regclass, 'pg_class'),"
        " pg_get_viewdef('analytics.job_health'::regclass, true)"
    ).fetchone()
    (row,) = gateway.get(f"{PATH}/view_definitions?view_name=eq.job_health", headers=analyst).json()
    assert (row["description"], row["definition"]) == described


def test_postgrest_filters_orders_and_pages(gateway: httpx.Client, analyst: dict) -> None:
    headers = analyst | {"Prefer": "count=exact"}
    answer = gateway.get(
        f"{PATH}/job_health?select=job,target&job=neq.keep_house&order=job.desc&limit=2&offset=1",
        headers=headers,
    )
    assert answer.status_code == 206, answer.text
    jobs = [row["job"] for row in answer.json()]
    assert len(jobs) == 2 and jobs == sorted(jobs, reverse=True) and "keep_house" not in jobs
    # As Supabase's clients ask, with schema: "analytics".
    answer = gateway.get("/rest/v1/job_health?select=job&limit=1", headers=analyst | PROFILE)
    assert answer.status_code == 200 and len(answer.json()) == 1


@pytest.mark.parametrize("sub", [..., None, "ann", "7d1f3b9e-52c8-4a06-9a51-0c4e8b6d2f17"], ids=str)
def test_an_analyst_needs_to_be_no_user(
    instance: Instance, gateway: httpx.Client, db: psycopg.Connection, sub: object
) -> None:
    before = fingerprint(db)
    claims = {"role": "feed_analyst", "exp": datetime.now(UTC) + timedelta(minutes=5)}
    if sub is not ...:
        claims["sub"] = sub
    token = jwt.encode(claims, instance.secret)
    answer = gateway.get(f"{PATH}/job_health", headers=bearer(token))
    # PyJWT may be asked to write a sub that is no string; PostgREST reads it all the same.
    assert answer.status_code == 200, answer.text
    assert fingerprint(db) == before


def test_nobody_else_reads_it(
    here: Town, rest: httpx.Client, others: dict[str, tuple[dict[str, str], int]]
) -> None:
    for who, (headers, status) in others.items():
        for path, more in [*WAYS, (PATH, {}), ("/rest/v1/view_definitions", PROFILE)]:
            answer = here.call(None, "GET", path, headers=headers | more)
            error = assert_error(answer, status)
            assert "train_models" not in answer.text, (who, path)
            if path.startswith(PATH) and status == 403:
                assert "feed_analyst" in error["hint"]
        # Without the gateway, too.
        answer = rest.get("/job_health", headers=headers | PROFILE)
        assert answer.status_code == status, (who, answer.text)
        # What is not there is not told from what is.
        answers = [
            here.call(None, "GET", f"{PATH}/{view}", headers=headers).json()["message"]
            for view in ("job_health", "no_such_view")
        ]
        assert answers[0] == answers[1], who


NOTHING_ELSE = """
GET    /rest/v1/listings
GET    /rest/v1/trending
GET    /rest/v1/preferences
GET    /rest/v1/my_listings
GET    /rest/v1/my_interactions
GET    /rest/v1/rpc/get_feed?user_uid={user}
GET    /rest/v1/rpc/export_my_data?user_uid={user}
POST   /rest/v1/rpc/export_my_data
POST   /rest/v1/rpc/delete_my_data
POST   /rest/v1/rpc/get_feed
POST   /rest/v1/rpc/upsert_users
PATCH  /rest/v1/listings?listing_id=eq.{listing}
POST   /rest/v1/listings
GET    /api/v1/feed?user_uid={user}
POST   /api/v1/feed
GET    /api/v1/trending
GET    /api/v1/preferences
PATCH  /api/v1/preferences
GET    /api/v1/explain/{listing}?user_uid={user}
POST   /api/v1/feed/interactions/{listing}
POST   /api/v1/feed/interactions
POST   /api/v1/feed/impressions
DELETE /api/v1/feed/interactions/{event}
"""

BODIES = {
    "export_my_data": {"user_uid": "{user}"},
    "delete_my_data": {"user_uid": "{user}"},
    "get_feed": {"user_uid": "{user}"},
    "feed": {"user_uid": "{user}"},
    "upsert_users": {"users": []},
    "listings": {"title": "x"},
    "preferences": {"max_distance": 1},
    "interactions": {"events": []},
    "impressions": {"tickets": []},
}


def test_an_analyst_reads_and_writes_nothing_else(
    here: Town, rest: httpx.Client, db: psycopg.Connection, analyst: dict
) -> None:
    names = {"user": here.user(), "listing": here.listing(), "event": str(uuid.uuid4())}
    here.track(names["user"], names["listing"], "save", event_id=names["event"])
    before = fingerprint(db)
    for line in NOTHING_ELSE.strip().splitlines():
        method, path = line.split()
        name = path.split("?")[0].split("/")[-1]
        body = json.dumps(BODIES.get(name, {"type": "view"}))
        for key, value in names.items():
            path, body = path.replace(f"{{{key}}}", value), body.replace(f"{{{key}}}", value)
        options = {} if method in {"GET", "DELETE"} else {"json": json.loads(body)}
        answer = here.call(None, method, path, headers=analyst, **options)
        assert_error(answer, 403, code="42501")
        assert not any(value in answer.text for value in names.values()), path
    for path in ("/listings", "/my_interactions", "/rpc/get_feed"):
        assert rest.get(path, headers=analyst).status_code == 403
    for schema in ("feed", "ml", "jobs", "ops", "identity", "pg_catalog"):
        headers = analyst | {"Accept-Profile": schema}
        answer = here.call(None, "GET", "/rest/v1/users", headers=headers)
        assert_error(answer, 406, code="PGRST106")
    assert fingerprint(db) == before


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_is_written_there(
    here: Town, rest: httpx.Client, db: psycopg.Connection, analyst: dict, method: str
) -> None:
    before = fingerprint(db)
    callers = [analyst, here.instance.authorization(role="service_role")]
    profile = {"Content-Profile": "analytics"}
    for headers in callers:
        for view in ("trending_listings", "job_health"):
            answer = here.call(None, method, f"{PATH}/{view}", headers=headers, json={"rank": 1})
            assert_error(answer, 405, code="PT405")
            assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
            path = f"/rest/v1/{view}?rank=eq.1"
            answer = here.call(None, method, path, headers=headers | profile, json={"rank": 1})
            assert_error(answer, 404, code="PT404")
            answer = rest.request(
                method, f"/{view}?rank=eq.1", headers=headers | profile, json={"rank": 1}
            )
            # PostgREST has no better word for a view that cannot be written.
            assert answer.status_code in {400, 403, 404, 405, 500}, answer.text
        # listings is a name of api's alone.
        answer = here.call(
            None, method, "/rest/v1/listings", headers=headers | profile, json={"title": "x"}
        )
        assert_error(answer, 404, code="PT404")
        # A function of api's has no namesake there.
        if method == "POST":
            answer = here.call(
                None, "POST", "/rest/v1/rpc/upsert_users", headers=headers | profile, json={}
            )
            assert_error(answer, 404, code="PGRST202")
    assert fingerprint(db) == before


QUESTIONS = [
    "trending_listings?select=title,listings(*)",
    "trending_listings?select=title,users(*)",
    "trending_listings?select=title,posters(*)",
    "listing_engagement?select=title,user_interactions(*)",
    "listing_engagement?select=title,preferences!inner(*)",
    "trending_listings?select=count()",
    "trending_listings?select=trending_score.sum()",
    "pg_roles",
    "pg_stat_activity",
    "no_such_view",
    "trending_listings?no_such_column=eq.1",
    "listing_engagement?title=match.(",
    "rpc",
]


def test_questions_that_reach_beyond(here: Town, analyst: dict) -> None:
    here.listing(title="Somebody's")
    for question in QUESTIONS:
        answer = here.call(None, "GET", f"{PATH}/{question}", headers=analyst)
        assert_error(answer, answer.status_code)
        assert answer.status_code in {400, 403, 404}, (question, answer.text)
    for path in ("", "x/y", "..%2Flistings", "Trending_listings", "job_health/"):
        answer = here.call(None, "GET", f"{PATH}/{path}", headers=analyst)
        assert_error(answer, 404)


@pytest.mark.parametrize("kind", ["", "+json", "+text", '+json; for="application/json"'])
def test_plans_are_not_shown(
    gateway: httpx.Client, rest: httpx.Client, analyst: dict, kind: str
) -> None:
    accept = {"Accept": f"application/vnd.pgrst.plan{kind}; options=analyze|verbose|buffers"}
    for view in ("trending_listings", "job_health"):
        answer = gateway.get(f"{PATH}/{view}", headers=analyst | accept)
        assert_error(answer, 415, code="PGRST107")
        assert rest.get(f"/{view}", headers=analyst | PROFILE | accept).status_code == 415


@pytest.fixture
def pages(here: Town, instance: Instance, analyst: dict) -> Iterator[dict[tuple, dict]]:
    """The OpenAPI page of each schema, by who asks."""
    callers = {
        "analyst": analyst,
        "nobody": {},
        "user": instance.authorization(here.user()),
        "service_role": instance.authorization(role="service_role"),
    }
    return {
        (who, schema): here.call(
            None, "GET", "/rest/v1/", headers=headers | {"Accept-Profile": schema}
        ).json()
        for who, headers in callers.items()
        for schema in ("api", "analytics")
    }


def test_the_openapi_page_shows_what_one_may(
    pages: dict[tuple, dict], db: psycopg.Connection
) -> None:
    views = columns(db)
    page = pages["analyst", "analytics"]
    assert {path for path in page["paths"] if not path.startswith("/rpc/")} == {"/"} | {
        f"/{view}" for view in views
    }
    for view, definition in page["definitions"].items():
        assert definition["description"], view
        assert list(definition["properties"]) == views[view]
        assert all(column["description"] for column in definition["properties"].values()), view
    for who in ("nobody", "user", "service_role"):
        assert set(pages[who, "analytics"]["paths"]) == {"/"}, who
        assert "/trending" in pages[who, "api"]["paths"]
    assert set(pages["analyst", "api"]["paths"]) == {"/"}


def test_the_access_log_names_the_route(
    gateway: httpx.Client, instance: Instance, analyst: dict
) -> None:
    mark = uuid.uuid4().hex.translate(str.maketrans("0123456789", "ghijklmnop"))
    gateway.get(f"{PATH}/{mark}", headers=analyst)
    lines = (instance.home / "log/access.log").read_text().splitlines()
    (line,) = [json.loads(line) for line in lines if mark in line]
    assert (line["route"], line["status"]) == ("analytics", 404)
