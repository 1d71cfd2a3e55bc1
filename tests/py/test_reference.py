"""Every error that the pages for clients tell of happens, and is tried here."""

import json
import re
import uuid
from collections.abc import Callable, Iterator

import pytest

from harness import REPOSITORY, Instance
from pgfeed.components import COMPONENTS
from pgfeed.manual import catalogue
from pgfeed.manual.comments import parse
from world import Town

pytestmark = pytest.mark.usefixtures("quiet")

# What is asked, by whom, and the status that it gets. {me} is the user who asks, {other} another;
# {open}, {closed} and {theirs} are listings, {ticket} is the other's, {none} is nothing's id.
ERRORS = """
400 user         POST  rpc/get_feed             {"limit": 0}
401 nobody       POST  rpc/get_feed             {}
403 user         POST  rpc/get_feed             {"user_uid": "{other}"}
404 service_role POST  rpc/get_feed             {"user_uid": "{none}"}
409 service_role POST  rpc/get_feed             {"user_uid": "{me}", "profile": "not_offered"}
400 service_role POST  rpc/explain_listing      {"listing_id": "{open}"}
401 nobody       POST  rpc/explain_listing      {"listing_id": "{open}"}
403 user         POST  rpc/explain_listing      {"listing_id": "{open}", "user_uid": "{other}"}
404 user         POST  rpc/explain_listing      {"listing_id": "{none}"}
400 user         POST  rpc/track_interaction    {"listing_id": "{open}", "type": "like"}
401 nobody       POST  rpc/track_interaction    {"listing_id": "{open}", "type": "view"}
404 user         POST  rpc/track_interaction    {"listing_id": "{none}", "type": "view"}
409 user         POST  rpc/track_interaction    {"listing_id": "{closed}", "type": "apply"}
400 user         POST  rpc/track_interactions   {"events": {}}
401 nobody       POST  rpc/track_interactions   {"events": []}
403 user         POST  rpc/track_interactions   {"events": [{"user_uid": "{other}", "type": "view", "listing_id": "{open}"}]}
404 user         POST  rpc/track_interactions   {"events": [{"type": "view", "listing_id": "{none}"}]}
409 user         POST  rpc/track_interactions   {"events": [{"type": "apply", "listing_id": "{closed}"}]}
400 user         POST  rpc/retract_interaction  {"event_id": "bicycle"}
401 nobody       POST  rpc/retract_interaction  {"event_id": "{none}"}
404 user         POST  rpc/retract_interaction  {"event_id": "{none}"}
400 user         POST  rpc/track_impressions    {"tickets": []}
401 nobody       POST  rpc/track_impressions    {"tickets": ["{ticket}"]}
403 user         POST  rpc/track_impressions    {"tickets": ["{ticket}"]}
404 service_role POST  rpc/track_impressions    {"tickets": ["{ticket}"], "user_uid": "{none}"}
400 service_role POST  rpc/export_my_data       {}
401 nobody       POST  rpc/export_my_data       {}
403 user         POST  rpc/export_my_data       {"user_uid": "{other}"}
404 service_role POST  rpc/export_my_data       {"user_uid": "{none}"}
400 service_role POST  rpc/delete_my_data       {}
401 nobody       POST  rpc/delete_my_data       {}
403 user         POST  rpc/delete_my_data       {"user_uid": "{other}"}
404 service_role POST  rpc/delete_my_data       {"user_uid": "{none}"}
401 nobody       POST  rpc/replication_state    {}
403 user         POST  rpc/replication_state    {}
400 service_role POST  rpc/upsert_users         {"users": [{"user_uid": "{me}", "colour": "red"}]}
401 nobody       POST  rpc/upsert_users         {"users": []}
403 user         POST  rpc/upsert_users         {"users": []}
400 service_role POST  rpc/upsert_posters       {"posters": [{"average_rating": 6}]}
401 nobody       POST  rpc/upsert_posters       {"posters": []}
403 user         POST  rpc/upsert_posters       {"posters": []}
400 service_role POST  rpc/upsert_listings      {"listings": [{"title": "No key"}]}
401 nobody       POST  rpc/upsert_listings      {"listings": []}
403 user         POST  rpc/upsert_listings      {"listings": []}
400 user         POST  listings                 {"description": "No title"}
401 nobody       POST  listings                 {"title": "Nobody's"}
403 user         PATCH listings?listing_id=eq.{theirs} {"title": "Mine now"}
409 user         POST  listings                 [{"title": "One", "external_id": "1"}, {"title": "Two", "external_id": "1"}]
401 nobody       GET   my_interactions
401 nobody       GET   my_listings
400 user         PATCH preferences              {"max_distance": -1}
401 nobody       GET   preferences
"""  # noqa: E501


def lines() -> Iterator[tuple[int, str, str, str, str]]:
    for line in ERRORS.strip().splitlines():
        status, caller, method, path, *body = line.split(None, 4)
        yield int(status), caller, method, path, body[0] if body else ""


@pytest.fixture
def not_offered(instance: Instance) -> Iterator[None]:
    """A ranking profile that may not be used."""
    with instance.connect() as connection:
        connection.execute(
            "insert into feed.ranking_profiles (profile_name, is_offered)"
            " values ('not_offered', false)"
        )
        yield
        connection.execute("delete from feed.ranking_profiles where profile_name = 'not_offered'")


@pytest.mark.usefixtures("not_offered")
def test_the_errors_are_those_of_the_reference(
    here: Town, refused: Callable, instance: Instance
) -> None:
    me, other = here.user(), here.user()
    ids = {"me": me, "other": other, "none": str(uuid.uuid4())}
    ids["open"], ids["theirs"] = here.listings([{}, {"title": "Somebody's"}])
    ids["closed"] = here.listing(status="closed")
    ids["ticket"] = here.feed(other)[0]["ticket"]
    callers = {"nobody": None, "user": me, "service_role": "service_role"}
    for status, caller, method, path, body in lines():
        for word, value in ids.items():
            path, body = (text.replace(f"{{{word}}}", value) for text in (path, body))
        sent = {"json": json.loads(body)} if body else {}
        refused(callers[caller], method, f"/rest/v1/{path}", status, **sent)

    with instance.connect() as connection:
        described = catalogue.functions(connection, "api") + catalogue.relations(connection, "api")
    documented = {
        (thing.name, int(status))
        for thing in described
        for status in parse(thing.description).sections.get("Errors", {})
    }
    tried = {(path.removeprefix("rpc/").split("?")[0], status) for status, _, _, path, _ in lines()}
    assert documented == tried


# A request of a user, and the code that it gets.
CODES = """
PGRST100 GET   listings?title=like
PGRST102 POST  rpc/get_feed             {
PGRST202 GET   rpc/get_feed?colour=red
PGRST204 PATCH preferences              {"colour": "red"}
PGRST301 GET   listings
22P02    GET   listings?listing_id=eq.bicycle
23505    POST  listings                 {"listing_id": "{open}", "title": "Again"}
23514    POST  listings                 {"title": "Cheap", "compensation": -1}
42501    POST  rpc/upsert_users         {"users": []}
42703    GET   listings?colour=eq.red
"""


def test_the_codes_are_those_of_the_page(here: Town, refused: Callable) -> None:
    page = (REPOSITORY / "docs/clients/errors.md").read_text()
    documented = dict(re.findall(r"^\| `((?:PGRST)?\w+)` \| ([\d, ]+) \|", page, re.MULTILINE))
    me, found = here.user(), {}
    listing = here.listing()
    for line in CODES.strip().splitlines():
        code, method, path, *body = line.split(None, 3)
        status = int(documented[code].split(", ")[-1])
        headers = {"Content-Type": "application/json"}
        if code == "PGRST301":
            headers["Authorization"] = "Bearer not.a.token"
        content = body[0].replace("{open}", listing) if body else None
        caller = None if code == "PGRST301" else me
        options = {"headers": headers, "content": content}
        refused(caller, method, f"/rest/v1/{path}", status, code=code, **options)
        found[code] = documented[code]

    # Asked for so, an error comes as an object of PostgREST's, too.
    headers = {"Accept": "application/vnd.pgrst.object+json"}
    answer = here.call(me, "GET", "/rest/v1/listings?title=eq.nothing", headers=headers)
    assert answer.json()["hint"]
    found[answer.json()["code"]] = str(answer.status_code)
    assert found == documented


def test_components_have_one_order_in_sql_and_python(instance: Instance) -> None:
    with instance.connect() as connection:
        (names,) = connection.execute("select feed.component_names()").fetchone()
    assert tuple(names) == COMPONENTS
