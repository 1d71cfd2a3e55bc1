"""Who may do what over HTTP, and that no clever question tells of another user's rows.

The rights themselves, by the catalogue, are in tests/pgtap/contract/rights.sql.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import psycopg
import pytest

from harness import Instance
from world import Town, assert_error, fingerprint

pytestmark = pytest.mark.usefixtures("quiet")

TRACK = "/api/v1/feed/interactions"
RPC = "/rest/v1/rpc"

# One line a call: yes is 2xx, no is 401 for nobody and 403 for the others, a number is a status
# (401 where service_role is asked for a user that it is not). {me} is a user, {listing} one that
# they posted, {other} somebody else's; bodies are in BODIES.
MATRIX = """
                                                   nobody  user  service_role  feed_analyst
GET    /rest/v1/                                   yes     yes   yes           yes
GET    /rest/v1/listings                           yes     yes   yes           no
POST   /rest/v1/listings                           no      yes   yes           no
PATCH  /rest/v1/listings?listing_id=eq.{listing}   no      yes   yes           no
DELETE /rest/v1/listings?listing_id=eq.{listing}   no      no    no            no
GET    /rest/v1/trending                           yes     yes   yes           no
POST   /rest/v1/trending                           405     405   405           405
PATCH  /rest/v1/trending                           405     405   405           405
DELETE /rest/v1/trending                           405     405   405           405
GET    /rest/v1/preferences                        no      yes   yes           no
POST   /rest/v1/preferences                        405     405   405           405
PUT    /rest/v1/preferences                        405     405   405           405
PATCH  /rest/v1/preferences                        no      yes   yes           no
DELETE /rest/v1/preferences                        405     405   405           405
GET    /rest/v1/my_listings                        no      yes   yes           no
POST   /rest/v1/my_listings                        405     405   405           405
PATCH  /rest/v1/my_listings                        405     405   405           405
DELETE /rest/v1/my_listings                        405     405   405           405
GET    /rest/v1/my_interactions                    no      yes   yes           no
POST   /rest/v1/my_interactions                    405     405   405           405
PATCH  /rest/v1/my_interactions                    405     405   405           405
DELETE /rest/v1/my_interactions                    405     405   405           405
GET    /rest/v1/rpc/get_feed?user_uid={me}         no      yes   yes           no
POST   /rest/v1/rpc/get_feed                       no      yes   yes           no
GET    /rest/v1/rpc/explain_listing?{explained}    no      yes   yes           no
POST   /rest/v1/rpc/explain_listing                no      yes   yes           no
POST   /rest/v1/rpc/track_interaction              no      yes   401           no
POST   /rest/v1/rpc/track_interactions             no      yes   yes           no
POST   /rest/v1/rpc/retract_interaction            no      yes   401           no
POST   /rest/v1/rpc/track_impressions              no      yes   yes           no
GET    /rest/v1/rpc/export_my_data?user_uid={me}   no      yes   yes           no
POST   /rest/v1/rpc/export_my_data                 no      yes   yes           no
GET    /rest/v1/rpc/replication_state              no      no    yes           no
POST   /rest/v1/rpc/replication_state              no      no    yes           no
POST   /rest/v1/rpc/upsert_users                   no      no    yes           no
POST   /rest/v1/rpc/upsert_posters                 no      no    yes           no
POST   /rest/v1/rpc/upsert_listings                no      no    yes           no
GET    /api/v1/feed?user_uid={me}                  no      yes   yes           no
POST   /api/v1/feed                                no      yes   yes           no
GET    /api/v1/explain/{other}?user_uid={me}       no      yes   yes           no
POST   /api/v1/feed/interactions/{other}           no      yes   401           no
POST   /api/v1/feed/interactions                   no      yes   yes           no
DELETE /api/v1/feed/interactions/{event2}          no      yes   401           no
GET    /api/v1/trending                            yes     yes   yes           no
GET    /api/v1/preferences                         no      yes   yes           no
PATCH  /api/v1/preferences                         no      yes   yes           no
POST   /api/v1/feed/impressions                    no      yes   yes           no
GET    /api/v1/analytics                           no      no    no            yes
GET    /api/v1/analytics/job_health                no      no    no            yes
POST   /api/v1/analytics/job_health                405     405   405           405
GET    /healthz                                    yes     yes   yes           yes
POST   /rest/v1/rpc/delete_my_data                 no      yes   yes           no
"""
BODIES = {
    "POST /rest/v1/listings": {"title": "x", "poster_uid": "{me}", "status": "closed"},
    "PATCH /rest/v1/listings": {"description": "y"},
    "PATCH /rest/v1/preferences": {"max_distance": 9},
    "PATCH /api/v1/preferences": {"max_distance": 9},
    "POST /rest/v1/rpc/get_feed": {"user_uid": "{me}"},
    "POST /api/v1/feed": {"user_uid": "{me}"},
    "POST /rest/v1/rpc/explain_listing": {"listing_id": "{other}", "user_uid": "{me}"},
    "POST /rest/v1/rpc/track_interaction": {"listing_id": "{other}", "type": "view"},
    "POST /rest/v1/rpc/track_interactions": {
        "events": [{"user_uid": "{me}", "listing_id": "{other}", "type": "view"}]
    },
    "POST /api/v1/feed/interactions": {
        "events": [{"user_uid": "{me}", "listing_id": "{other}", "type": "view"}]
    },
    "POST /api/v1/feed/interactions/{other}": {"type": "view"},
    "POST /rest/v1/rpc/retract_interaction": {"event_id": "{event}"},
    "POST /rest/v1/rpc/track_impressions": {"tickets": ["{ticket}"], "user_uid": "{me}"},
    "POST /api/v1/feed/impressions": {"tickets": ["{ticket}"], "user_uid": "{me}"},
    "POST /rest/v1/rpc/export_my_data": {"user_uid": "{me}"},
    "POST /rest/v1/rpc/delete_my_data": {"user_uid": "{me}"},
    "POST /rest/v1/rpc/replication_state": {},
    "POST /rest/v1/rpc/upsert_users": {"users": [{"user_uid": "{me}"}]},
    "POST /rest/v1/rpc/upsert_posters": {"posters": [{"poster_uid": "{me}"}]},
    "POST /rest/v1/rpc/upsert_listings": {"listings": [{"listing_id": "{listing}"}]},
}


def lines_of_the_matrix() -> Iterator[tuple[str, str, str, str]]:
    head, *lines = MATRIX.strip("\n").splitlines()
    for line in lines:
        method, path, *expected = line.split()
        for caller, verdict in zip(head.split(), expected, strict=True):
            yield method, path, caller, verdict


def filled(text: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


@pytest.mark.parametrize("caller", ["nobody", "user", "service_role", "feed_analyst"])
def test_each_may_do_what_the_matrix_says(here: Town, instance: Instance, caller: str) -> None:
    user, other = here.poster(), here.listing(title="Somebody's")
    listing = here.listing(title="Mine", poster_uid=user)
    names = {"me": user, "listing": listing, "other": other}
    here.listing(title="Shown")
    names["ticket"] = here.ask(user, "/api/v1/feed", user_uid=user)[0]["ticket"]
    names |= {"explained": f"listing_id={other}&user_uid={user}"}
    for event in ("event", "event2"):
        names[event] = str(uuid.uuid4())
        here.track(user, other, "save", event_id=names[event])
    headers = {
        "nobody": {},
        "user": instance.authorization(user),
        "service_role": instance.authorization(role="service_role"),
        "feed_analyst": instance.authorization(role="feed_analyst"),
    }[caller]
    found, written = {}, {}
    for method, path, who, verdict in lines_of_the_matrix():
        if who != caller:
            continue
        body = BODIES.get(f"{method} {path.split('?')[0]}")
        answer = here.call(
            None,
            method,
            filled(path, names),
            headers=headers,
            json=None if body is None else json.loads(filled(json.dumps(body), names)),
        )
        denied = 401 if caller == "nobody" else 403
        is_denied = answer.status_code == denied
        found[method, path] = (
            "yes" if answer.is_success else "no" if is_denied else f"{answer.status_code}"
        )
        written[method, path] = verdict
        if not answer.is_success:
            assert_error(answer, answer.status_code)
    assert found == written


def test_the_matrix_has_every_call_and_view(here: Town) -> None:
    """What the OpenAPI page shows to whom may most is in the matrix above."""
    page = here.ask("service_role", "/rest/v1/")
    tried = {path.split("?")[0] for _, path, _, _ in lines_of_the_matrix()}
    assert {f"/rest/v1{path}" for path in page["paths"]} <= tried


def test_nobody_schedules_jobs_but_the_owner(db: psycopg.Connection) -> None:
    """pg_cron is in one database of a cluster, which pgTAP's scratch databases are not."""
    having = db.execute(
        """
        select r.rolname, p.proname
        from pg_roles as r
        inner join pg_namespace as n on has_schema_privilege(r.oid, n.oid, 'usage')
        left join pg_proc as p
            on p.pronamespace = n.oid and has_function_privilege(r.oid, p.oid, 'execute')
            and p.proname in ('schedule_in_database', 'alter_job')
        where n.nspname = 'cron' and r.rolname !~ '^pg_' and not r.rolsuper
        order by r.rolname
        """
    ).fetchall()
    assert having == [("feed_owner", None), ("feed_worker", None)]


# ---------------------------------------------------------------------- another's rows


@dataclass(frozen=True)
class Ann:
    """A user with secrets, and somebody who is not there, to compare with."""

    user: str
    event: str
    listing: str
    ids: dict[str, str]
    nobodys: dict[str, str]


SECRETS = ("-33.12345", "18.65432", "needle")


@pytest.fixture
def ann(here: Town) -> Ann:
    """She has done all there is to do; her place, tags and notes are nowhere else."""
    listing, untouched = here.listings([{"title": "Kayak"}, {"title": "Canoe"}])
    event, user = str(uuid.uuid4()), str(uuid.uuid4())
    here.send(
        "service_role",
        f"{RPC}/upsert_users",
        users=[
            {
                "user_uid": user,
                "lat": -33.12345,
                "lon": 18.65432,
                "max_distance": 17.25,
                "preferred_tags": ["needle"],
                "blocked_tags": ["needlework"],
            }
        ],
    )
    note = {"metadata": {"note": "needle"}}
    for type in ("view", "click", "share", "save", "dismiss"):
        here.track(user, listing, type, **note)
    here.track(user, listing, "apply", event_id=event, **note)
    ids = {"user": user, "event": event, "listing": listing, "tag": "needle"}
    nobodys = {
        "user": str(uuid.uuid4()),
        "event": str(uuid.uuid4()),
        "listing": untouched,
        "tag": "thread",
    }
    return Ann(user, event, listing, ids, nobodys)


# What tells Ann's ids from ids of nobody has told something.
QUESTIONS = """
preferences
preferences?user_uid=eq.{user}
preferences?user_uid=neq.{user}
preferences?user_uid=in.({user})
preferences?or=(user_uid.eq.{user},max_distance.gt.0)
preferences?not.and=(user_uid.neq.{user},user_uid.is.null)
preferences?preferred_tags=cs.{{tag}}
preferences?blocked_tags=ov.{{tag},needlework}
preferences?lat=lt.0&lon=gt.0
preferences?order=lat,preferred_tags.desc.nullslast
preferences?select=tags:preferred_tags,blocked_tags->0
preferences?user_uid=eq.{user}&select=preferred_tags->>0,updated_at
preferences?limit=1&offset=0&user_uid=eq.{user}
my_interactions
my_interactions?event_id=eq.{event}
my_interactions?listing_id=eq.{listing}
my_interactions?listing_id=eq.{listing}&type=eq.apply
my_interactions?metadata->>note=eq.{tag}
my_interactions?metadata=cs.{"note":"{tag}"}
my_interactions?metadata->>note=match.(
my_interactions?metadata->>note=like.%5C
my_interactions?select=metadata->note::int
my_interactions?select=metadata->>note::date&listing_id=eq.{listing}
my_interactions?order=metadata->>note.desc&limit=1
my_interactions?or=(listing_id.eq.{listing},event_id.eq.{event})
my_interactions?not.listing_id=is.null
my_interactions?select=event_id,listings(title)
my_interactions?select=event_id,listings!inner(title)&listings.listing_id=eq.{listing}
my_listings
my_listings?listing_id=eq.{listing}
my_listings?applied_at=not.is.null
my_listings?order=last_at.desc&select=listing_id,saved_at
listings?select=title,my_interactions(event_id,metadata)&title=eq.Kayak
listings?select=title,my_interactions!inner(event_id)
listings?select=title&my_interactions=not.is.null
listings?select=title,my_listings(*)
trending?select=title,my_interactions(*)
rpc/get_feed?user_uid={user}
rpc/explain_listing?listing_id={listing}&user_uid={user}
"""


def address(question: str, ids: dict[str, str]) -> str:
    return "/rest/v1/" + quote(filled(question, ids), safe='?=&(){}*!.,:->/%"')


def told(answer: httpx.Response, ids: dict[str, str]) -> tuple[int, str, str | None]:
    """What an answer says, the ids in it taken out."""
    text = answer.text
    for name, value in ids.items():
        text = text.replace(value, f"{{{name}}}")
    return answer.status_code, text, answer.headers.get("content-range")


@pytest.mark.parametrize("count", [None, "exact", "planned", "estimated"])
def test_no_question_tells_of_another(
    here: Town, instance: Instance, ann: Ann, db: psycopg.Connection, count: str | None
) -> None:
    """A planned count is the planner's guess, from what it knows of everybody's rows."""
    db.execute("analyze")
    bob = here.user(max_distance=3)
    callers = {
        "bob": instance.authorization(bob),
        "a stranger": instance.authorization(uuid.uuid4()),
        "nobody": {},
        "an analyst": instance.authorization(role="feed_analyst"),
    }
    if count is not None:
        callers = {"bob": callers["bob"] | {"Prefer": f"count={count}"}}
    for question in QUESTIONS.split():
        for caller, headers in callers.items():
            hers, nobodys = (
                told(here.call(None, "GET", address(question, ids), headers=headers), ids)
                for ids in (ann.ids, ann.nobodys)
            )
            assert hers == nobodys, (question, caller)
            assert hers[0] < 500, (question, caller)
            assert not any(secret in hers[1] for secret in SECRETS), (question, caller)


def test_the_questions_are_answered_to_whom_they_concern(here: Town, ann: Ann) -> None:
    """Else the test above would pass because they are wrong."""
    asked = [question for question in QUESTIONS.split() if "(" in question or "eq." in question]
    answers = [here.call(ann.user, "GET", address(question, ann.ids)) for question in asked]
    with_secrets = [answer for answer in answers if any(s in answer.text for s in SECRETS)]
    assert len(with_secrets) > 5
    (row,) = here.ask(ann.user, "/rest/v1/preferences", user_uid=f"eq.{ann.user}")
    assert (row["lat"], row["preferred_tags"]) == (-33.12345, ["needle"])
    # A cast that fails and a pattern that is none are errors when there is a row.
    for question in ("metadata->>note=match.(", "select=metadata->note::int"):
        assert here.call(ann.user, "GET", f"/rest/v1/my_interactions?{question}").is_client_error


# What is not there for anybody but the owner: other schemas, hidden columns, aggregates.
NOT_THERE = """
users
user_interactions
user_listing_states
user_feed_preferences
feed.users
engagement_metrics
ranking_profiles
jobs
source_files
pg_stat_statements
pg_stat_activity
pg_authid
pg_roles
spatial_ref_sys
listings?select=listing_no
listings?select=changed_xid
listings?select=title,location
listings?select=xmin
listings?select=ctid
listings?select=tableoid
listings?changed_xid=gt.0
listings?order=listing_no
my_interactions?select=user_uid
my_interactions?user_uid=eq.{user}
my_listings?select=user_no
my_listings?select=view_count
preferences?select=user_no
preferences?select=created_at
preferences?select=count()
preferences?select=lat.sum()
preferences?select=user_uid,max_distance.max()
my_interactions?select=type,event_id.count()
listings?select=compensation.avg()
listings?select=*,posters(*)
listings?select=*,users(*)
my_interactions?select=*,users(*)
my_interactions?select=*,preferences(*)
preferences?select=*,my_interactions(*)
rpc/score_listings
rpc/record_interactions
rpc/ensure_user?user_uid={user}
rpc/user_context
rpc/claims
rpc/user_uid
rpc/train_models
rpc/schedule_all
rpc/pg_sleep
rpc/version
rpc/pg_read_file
rpc/st_astext
rpc/tg_listings__write
"""


@pytest.mark.parametrize("caller", ["user", "service_role", None])
def test_what_is_not_there(here: Town, ann: Ann, caller: str | None) -> None:
    asker = here.user() if caller == "user" else caller
    for path in NOT_THERE.split():
        for method in ("GET", "POST") if path.startswith("rpc/") else ("GET",):
            answer = here.call(asker, method, address(path, ann.ids))
            assert answer.status_code in {400, 401, 403, 404}, (path, answer.text)
            assert not any(secret in answer.text for secret in SECRETS), path


OTHER_SCHEMAS = [
    *("feed", "ml", "identity", "jobs", "ops", "ext", "cron"),
    *("pg_catalog", "information_schema", "API", "api,feed", "''"),
]


@pytest.mark.parametrize("schema", OTHER_SCHEMAS)
def test_no_header_opens_another_schema(here: Town, rest: httpx.Client, schema: str) -> None:
    user = here.user()
    for header, method, path in (
        ("Accept-Profile", "GET", "/users"),
        ("Accept-Profile", "GET", "/rpc/score_listings"),
        ("Content-Profile", "POST", "/rpc/ensure_user"),
        ("Content-Profile", "POST", "/users"),
        ("Content-Profile", "PATCH", "/user_feed_preferences"),
    ):
        options = {"json": {"user_uid": user}} if method != "GET" else {}
        headers = {header: schema}
        answer = here.call(user, method, f"/rest/v1{path}", headers=headers, **options)
        if method != "GET" and not path.startswith("/rpc/"):
            # The gateway knows of nothing to write there, whatever the schema.
            assert_error(answer, 404, code="PT404")
        else:
            assert_error(answer, 406, code="PGRST106")
        headers |= here.instance.authorization(user)
        assert rest.request(method, path, headers=headers, **options).status_code == 406


@pytest.mark.parametrize("kind", ["", "+json", "+text", '+json; for="application/json"'])
def test_plans_are_not_shown(here: Town, rest: httpx.Client, kind: str) -> None:
    accept = f"application/vnd.pgrst.plan{kind}; options=analyze|verbose|settings|buffers"
    for caller in (here.user(), "service_role", None):
        for method, path in (
            ("GET", "/rest/v1/listings"),
            ("GET", "/rest/v1/preferences"),
            ("GET", "/api/v1/feed"),
            ("POST", "/api/v1/feed"),
            ("PATCH", "/api/v1/preferences"),
        ):
            options = {"json": {}} if method != "GET" else {}
            answer = here.call(caller, method, path, headers={"Accept": accept}, **options)
            assert_error(answer, 415, code="PGRST107")
    assert rest.get("/listings", headers={"Accept": accept}).status_code == 415


# ---------------------------------------------------------------------- another's rows, to write


def test_nobody_writes_anothers_rows(here: Town, ann: Ann, db: psycopg.Connection) -> None:
    bob = here.user()
    whole = {"Prefer": "return=representation"}
    merge = {"Prefer": "resolution=merge-duplicates,return=representation"}
    ignore = {"Prefer": "resolution=ignore-duplicates,return=representation"}
    theirs, hers = f"listing_id=eq.{ann.listing}", f"user_uid=eq.{ann.user}"
    change, event = {"title": "Bob's"}, {"listing_id": ann.listing, "type": "dismiss"}
    before = fingerprint(db)

    def refused(
        statuses: set[int], method: str, path: str, body: object = None, **headers: str
    ) -> None:
        answer = here.call(bob, method, path, json=body, headers=headers)
        assert answer.status_code in statuses, (method, path, answer.text)
        assert not any(secret in answer.text for secret in SECRETS), (method, path)
        assert "Failing row" not in answer.text
        assert fingerprint(db) == before, (method, path)

    listings, preferences = "/rest/v1/listings", "/rest/v1/preferences"
    refused({403}, "PATCH", f"{listings}?{theirs}", change, **whole)
    refused({403}, "PATCH", listings, change)
    refused({403}, "PATCH", f"{listings}?poster_uid=eq.{here.some_poster}", {"status": "closed"})
    refused({403}, "DELETE", f"{listings}?{theirs}", None, **whole)
    refused({403}, "DELETE", listings)
    refused({400, 403, 405}, "PUT", f"{listings}?{theirs}", {"listing_id": ann.listing} | change)
    for prefer in (merge, ignore, whole):
        for conflict in ("", "?on_conflict=listing_id", "?on_conflict=poster_uid,external_id"):
            row = {"listing_id": ann.listing} | change
            refused({400, 403, 409}, "POST", listings + conflict, row, **prefer)
            refused({400, 403, 409}, "POST", listings + conflict, [row, row], **prefer)
    refused({403}, "POST", listings, change | {"poster_uid": ann.user})
    refused({403}, "POST", listings, change | {"poster_uid": here.some_poster})
    refused({400}, "POST", listings, change | {"currency": "euro"})
    refused({400}, "POST", listings, change | {"listing_no": 1})
    refused({400}, "POST", listings, change | {"changed_xid": 1})
    refused({200}, "PATCH", f"{preferences}?{hers}", {"max_distance": 1}, **whole)
    refused({204}, "PATCH", f"{preferences}?preferred_tags=cs.{{needle}}", {"max_distance": 1})
    refused({400}, "PATCH", preferences, {"user_uid": ann.user, "max_distance": 1})
    refused({405}, "POST", f"{preferences}?on_conflict=user_uid", {"user_uid": ann.user}, **merge)
    refused({405}, "DELETE", f"{preferences}?{hers}")
    refused({405}, "DELETE", f"/rest/v1/my_interactions?event_id=eq.{ann.event}")
    refused({405}, "PATCH", "/rest/v1/my_interactions", {"type": "view"})
    refused({404}, "DELETE", f"{TRACK}/{ann.event}")
    refused({404}, "POST", f"{RPC}/retract_interaction", {"event_id": ann.event})
    refused({403}, "POST", TRACK, {"events": [event | {"user_uid": ann.user}]})
    refused({404}, "POST", f"{RPC}/track_interaction", event | {"user_uid": ann.user})
    refused({403}, "POST", f"{RPC}/upsert_users", {"users": [{"user_uid": ann.user}]})
    refused({403}, "POST", f"{RPC}/upsert_listings", {"listings": [event]})
    refused({403}, "POST", f"{RPC}/get_feed", {"user_uid": ann.user})
    refused({403}, "GET", f"/api/v1/feed?user_uid={ann.user}")
    explained = {"listing_id": ann.listing, "user_uid": ann.user}
    refused({403}, "GET", f"/api/v1/explain/{ann.listing}?user_uid={ann.user}")
    refused({403}, "POST", f"{RPC}/explain_listing", explained)


def test_an_event_id_is_a_users_own(here: Town, ann: Ann, db: psycopg.Connection) -> None:
    """Bob may use the id that Ann's event has, and learns nothing by it."""
    bob = here.user()
    answer = here.track(bob, ann.listing, "view", event_id=ann.event)
    assert (answer["status"], answer["event_id"]) == ("recorded", ann.event)
    answer = here.call(bob, "DELETE", f"{TRACK}/{ann.event}")
    assert answer.status_code == 200
    query = "select type::text from feed.user_interactions where event_id = %s"
    assert db.execute(query, (ann.event,)).fetchall() == [("apply",)]


def test_headers_make_nobody_somebody_else(here: Town, instance: Instance, ann: Ann) -> None:
    """What a proxy or another server might believe."""
    bob = here.user(max_distance=3)
    for headers in (
        {"X-User-Uid": ann.user, "X-Sub": ann.user, "X-Role": "service_role"},
        {"Role": "service_role", "Sub": ann.user, "Request.jwt.claims": json.dumps({})},
        {"apikey": instance.token(role="service_role")},
        {"Cookie": f"token={instance.token(ann.user)}; Authorization={instance.token(ann.user)}"},
        {"X-Original-URL": f"/rest/v1/rpc/get_feed?user_uid={ann.user}"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"X-Feed-Limit": "-1", "X-Listing-Id": "'"},
    ):
        (row,) = here.call(bob, "GET", "/api/v1/preferences", headers=headers).json()
        assert row["user_uid"] == bob
        answer = here.call(bob, "GET", f"/api/v1/feed?user_uid={ann.user}", headers=headers)
        assert_error(answer, 403, code="PT403")
    for query in (
        f"apikey={instance.token(role='service_role')}",
        f"access_token={instance.token(ann.user)}",
        f"jwt={instance.token(ann.user)}",
    ):
        answer = here.call(None, "GET", f"/rest/v1/preferences?{query}")
        assert answer.status_code in {400, 401}


def test_another_users_uid_is_refused_everywhere(
    here: Town, db: psycopg.Connection, rest: httpx.Client, instance: Instance
) -> None:
    """Without the gateway, too."""
    user, other, listing = here.user(), here.user(), here.listing()
    headers, before = instance.authorization(user), fingerprint(db)
    for path, body in (
        ("/rpc/get_feed", {"user_uid": other}),
        ("/rpc/explain_listing", {"listing_id": listing, "user_uid": other}),
        (
            "/rpc/track_interactions",
            {"events": [{"listing_id": listing, "type": "view", "user_uid": other}]},
        ),
        ("/listings", {"title": "x", "poster_uid": other}),
    ):
        answer = rest.post(path, json=body, headers=headers)
        assert answer.status_code == 403, (path, answer.text)
        assert answer.json()["hint"]
    answer = rest.patch("/preferences", json={"user_uid": other}, headers=headers)
    assert answer.status_code == 400
    assert fingerprint(db) == before
