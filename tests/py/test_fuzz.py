"""Requests and files that nobody would write, by the thousand: nothing breaks, nothing leaks.

PGFEED_FUZZ_REQUESTS says how many requests, and makes them new ones each time; without it they
are few and always the same. `tests/run tests/py/test_fuzz.py -s` shows the answers by status.
"""

import contextlib
import csv
import gzip
import io
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

import world
from fuzzing import (
    CONTENT_TYPES,
    NASTY_TEXTS,
    UNKNOWN_UID,
    Judge,
    Request,
    as_json,
    broken_json,
    check_counters,
    headers,
    nested,
    numbers,
    objects,
    queries,
    quoted,
    texts,
    values,
)
from harness import Instance
from pgfeed import csv_layout, load, staging
from pgfeed.progress import Stages

REQUESTS = int(os.environ.get("PGFEED_FUZZ_REQUESTS", "1000"))
VILLAGE = Path(__file__).parent / "data/village"
JSON = (("Content-Type", "application/json"),)


def fuzz(strategy: st.SearchStrategy, act: Callable[[object], None], share: float) -> None:
    """Acts on a share of REQUESTS examples."""

    @settings(
        max_examples=max(2, round(REQUESTS * share)),
        derandomize="PGFEED_FUZZ_REQUESTS" not in os.environ,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def each(example: object) -> None:
        act(example)

    each()


# ---------------------------------------------------------------------- a world to break


@pytest.fixture(scope="module")
def town(quiet: None, instance: Instance) -> Iterator[world.Town]:
    with instance.client() as client, instance.connect() as db:
        last = "select coalesce(max(listing_no), 0) from feed.listings"
        ((former,),) = db.execute(last).fetchall()
        town = world.Town(instance, client)
        yield town
        town.close()
        # What fuzzing posted may be tied to no place, and so in everybody's feed.
        db.execute("update feed.listings set status = 'closed' where listing_no > %s", (former,))


@pytest.fixture(scope="module")
def ann(town: world.Town) -> str:
    """Who sends the requests."""
    return town.user(preferred_tags=["jazz"])


@pytest.fixture(scope="module")
def bob(town: world.Town) -> str:
    """Who has secrets."""
    bob = town.user(lat=12.345678, preferred_tags=["bobs-secret-tag"])
    town.track(bob, town.listing("Bicycle"), "save", metadata={"note": "bobs-secret-note"})
    return bob


@pytest.fixture(scope="module")
def listings(town: world.Town, ann: str, bob: str) -> list[str]:
    """Some of the town's, some of ann's own."""
    theirs = town.listings({"title": f"Listing {n}", "tags": ["jazz", f"t{n}"]} for n in range(6))
    closed = town.listing("Closed", status="closed")
    own = town.listings([{"title": "Ann's", "poster_uid": ann, "external_id": "a"}])
    town.track(ann, theirs[0], "view", event_id=str(uuid.UUID(int=1)))
    return [*theirs, closed, *own]


@pytest.fixture(scope="module")
def judge(instance: Instance, town: world.Town, ann: str, bob: str, listings: list) -> Iterator:
    with instance.connect() as db:

        def belongings() -> object:
            return db.execute(
                """
                select md5(string_agg(x.line, '|' order by x.line))
                from (
                    select u::text from feed.users as u where user_uid = any(%(others)s)
                    union all
                    select p::text from feed.user_feed_preferences as p
                    where user_uid = any(%(others)s)
                    union all
                    select p::text from feed.posters as p where poster_uid = any(%(others)s)
                    union all
                    select l::text from feed.listings as l where poster_uid = any(%(others)s)
                    union all
                    select i::text from feed.user_interactions as i
                    where user_uid = any(%(others)s)
                    union all
                    select k::text from feed.interaction_keys as k where user_uid = any(%(others)s)
                    union all
                    select s::text
                    from feed.user_listing_states as s
                    inner join feed.users as u using (user_no)
                    where u.user_uid = any(%(others)s)
                ) as x (line)
                """,
                {"others": [bob, town.some_poster]},
            ).fetchone()

        judge = Judge(
            instance,
            db,
            tokens={
                "anon": {},
                "authenticated": instance.authorization(ann),
                "service_role": instance.authorization(role="service_role"),
            },
            secrets=(bob, "bobs-secret", "12.345678"),
            belongings=belongings,
        )
        yield judge
        check_counters(judge.db)
        print(f"\n{judge.summary()}")


@pytest.fixture(autouse=True)
def verdict(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test fails with all that its requests broke."""
    yield
    if "judge" in request.fixturenames:
        judge = request.getfixturevalue("judge")
        broken, text = bool(judge.broken), judge.verdict()
        judge.broken.clear()
        assert not broken, f"\n{text}"
        check_counters(judge.db)


# ---------------------------------------------------------------------- values that may fit


@pytest.fixture(scope="module")
def uids(ann: str, bob: str, listings: list[str]) -> st.SearchStrategy[str]:
    known = st.sampled_from([*listings, ann, bob, UNKNOWN_UID, str(uuid.UUID(int=1))])
    odd = st.sampled_from((listings[0].upper(), f"{{{listings[0]}}}", listings[0][:-1]))
    return st.one_of(known, known, known, odd, texts)


TAGS = st.lists(st.one_of(st.sampled_from(("jazz", " Jazz ", "t1", "")), texts), max_size=5)
TIMES = st.one_of(
    st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
    st.sampled_from([world.hours_ago(hours) for hours in (0, 1, 24, 24 * 8, -1)]),
    texts,
)
TYPES = st.sampled_from((*csv_layout.INTERACTION_TYPES, "like", "", "VIEW"))
METADATA = st.one_of(
    st.fixed_dictionaries({"seconds": numbers}),
    st.dictionaries(texts, values, max_size=3),
    values,
)


def events(uids: st.SearchStrategy[str], listings: list[str]) -> st.SearchStrategy:
    good = st.fixed_dictionaries(
        {"listing_id": st.sampled_from(listings), "type": st.sampled_from(("view", "save"))},
        optional={"event_id": st.uuids(version=4).map(str), "metadata": METADATA},
    )
    odd = objects(
        {
            "listing_id": uids,
            "type": TYPES,
            "metadata": METADATA,
            "event_id": uids,
            "occurred_at": TIMES,
            "user_uid": uids,
        }
    )
    mixed = st.builds(lambda one, other: one | other, good, odd)
    return st.one_of(good, good, mixed, odd, values)


def listing_fields(uids: st.SearchStrategy[str]) -> dict[str, st.SearchStrategy]:
    return {
        "listing_id": uids,
        "poster_uid": uids,
        "external_id": texts,
        "title": texts,
        "description": texts,
        "url": st.one_of(st.just("https://example.org/1"), texts),
        "attributes": st.one_of(st.dictionaries(texts, values, max_size=2), values),
        "tags": TAGS,
        "lat": numbers,
        "lon": numbers,
        "compensation": numbers,
        "currency": st.one_of(st.just("EUR"), texts),
        "status": st.sampled_from(("open", "closed", "gone")),
        "created_at": TIMES,
        "expires_at": TIMES,
    }


PREFERENCES = {
    "max_distance": numbers,
    "preferred_tags": TAGS,
    "blocked_tags": TAGS,
    "personalization_enabled": st.booleans(),
    "lat": st.floats(-91, 91),
    "lon": st.floats(-181, 181),
    "user_uid": texts,
    "updated_at": TIMES,
}


def bodies(value: st.SearchStrategy) -> st.SearchStrategy[tuple[tuple, bytes]]:
    """Headers and body: mostly JSON, at times broken, or said to be something else."""
    good = st.tuples(st.just(JSON), value.map(as_json))
    broken = st.tuples(st.just(JSON), value.flatmap(broken_json))
    other = st.tuples(
        st.sampled_from(CONTENT_TYPES).map(lambda name: (("Content-Type", name),)),
        value.map(as_json),
    )
    return st.one_of(good, good, good, good, good, good, broken, other)


# ---------------------------------------------------------------------- PostgREST's own page


@pytest.mark.parametrize("caller", ["anon", "authenticated", "service_role"])
def test_what_the_openapi_page_promises(judge: Judge, caller: str) -> None:
    """Schemathesis reads the page and sends what it allows, and what it does not."""
    page = judge.client.get("/rest/v1/", headers=judge.tokens[caller]).json()
    schema = schemathesis.openapi.from_dict(page)
    operations = [result.ok() for result in schema.get_all_operations()]
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    for operation in operations:
        for mode in modes:

            def act(case: schemathesis.Case) -> None:
                judge.send(as_request(case, caller))

            share = 0.1 / len(operations) / len(modes)
            # There is nothing wrong to send to a call without arguments.
            with contextlib.suppress(Unsatisfiable):
                fuzz(operation.as_strategy(generation_mode=mode), act, share)


def as_request(case: schemathesis.Case, caller: str) -> Request:
    sent = case.as_transport_kwargs(base_url="http://gateway/rest/v1")
    names = ("method", "url", "headers", "cookies", "params", "data", "json", "files")
    prepared = requests.Request(**{k: v for k, v in sent.items() if k in names}).prepare()
    return Request(
        caller,
        prepared.method,
        prepared.path_url,
        tuple(prepared.headers.items()),
        prepared.body or b"",
    )


def test_what_postgrest_understands(
    judge: Judge, uids: st.SearchStrategy, listings: list[str]
) -> None:
    """Filters, embedding, casts, paging, profiles, media types, on every view and beyond."""
    page = judge.client.get("/rest/v1/", headers=judge.tokens["service_role"]).json()
    columns = {name: list(view["properties"]) for name, view in page["definitions"].items()}
    calls = [path for path in page["paths"] if path.startswith("/rpc/")]
    fields = listing_fields(uids)
    arguments = objects(
        {"listing_id": uids, "user_uid": uids, "limit": numbers, "exclude": values}
        | {"as_of": TIMES, "profile": texts, "type": TYPES, "event_id": uids, "events": values}
    )
    no_body = st.just(((), b""))

    def view(name: str) -> st.SearchStrategy:
        row = objects(PREFERENCES if name == "preferences" else fields)
        body = bodies(st.one_of(row, st.lists(row, max_size=3), values))
        query = queries(columns[name], st.one_of(uids, texts, TIMES, numbers.map(str)))
        return st.tuples(
            st.just(f"/rest/v1/{name}"),
            query,
            st.one_of(
                st.tuples(st.sampled_from(("GET", "GET", "GET", "HEAD", "OPTIONS")), no_body),
                st.tuples(st.sampled_from(("POST", "PATCH", "PUT", "DELETE")), body),
            ),
        )

    def call(path: str) -> st.SearchStrategy:
        return st.tuples(
            st.just(f"/rest/v1{path}"),
            queries(("listing_id", "user_uid", "limit", "exclude", "as_of", "type"), uids),
            st.one_of(
                st.tuples(st.sampled_from(("GET", "HEAD", "OPTIONS")), no_body),
                st.tuples(st.sampled_from(("POST", "POST", "PUT")), bodies(arguments)),
            ),
        )

    nothing = st.tuples(
        st.sampled_from(
            (
                *("/rest/v1/", "/rest/v1", "/rest/v1/users", "/rest/v1/feed.users"),
                *("/rest/v1/rpc/version", "/rest/v1/rpc/pg_sleep", "/rest/v1/a/b", "/rest/v1/%00"),
                *("/rest/v1/rpc/ensure_user", "/rest/v1/%2e%2e/healthz", "/rest/v1/listings/"),
                "/rest/v1/rpc/",
            )
        ),
        queries(("listing_id",), uids),
        st.tuples(st.sampled_from(("GET", "POST", "DELETE")), bodies(values)),
    )
    where = st.sampled_from(sorted(columns)).flatmap(view)
    which = st.sampled_from(calls).flatmap(call)

    def act(example: tuple) -> None:
        caller, (path, query, (method, (kind, body))), odd = example
        target = f"{path}?{query}" if query else path
        judge.send(Request(caller, method, target, (*kind, *odd), body))

    callers = st.sampled_from(("anon", "authenticated", "authenticated", "service_role"))
    fuzz(st.tuples(callers, st.one_of(where, where, which, nothing), headers), act, 0.3)


# ---------------------------------------------------------------------- the gateway's paths


def test_the_gateways_paths(judge: Judge, uids: st.SearchStrategy, listings: list[str]) -> None:
    identifier = uids.map(quoted).map(lambda text: text.replace("/", "%2F"))
    path = st.one_of(
        st.sampled_from(("/api/v1/feed", "/api/v1/feed", "/api/v1/feed/trending")),
        st.sampled_from(("/api/v1/trending", "/api/v1/preferences", "/api/v1/feed/preferences")),
        st.just("/api/v1/feed/interactions"),
        identifier.map(lambda text: f"/api/v1/feed/interactions/{text}"),
        identifier.map(lambda text: f"/api/v1/feed/explain/{text}"),
        st.sampled_from(
            (
                *("/", "/healthz", "/_ready", "/_too_long", "/api", "/api/v1/", "/api/v1/feed/"),
                *("//api/v1/feed", "/api/v1//feed", "/api/v1/feed;x=1", "/api/v1/%66eed"),
                *("/api/v1/feed/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/jwt.secret"),
                *("/api/v1/feed%00", "/index.html", "/.git/config", "/api/v1/feed/explain/"),
                *("/x%0d%0ay", "/" * 99),
            )
        ),
    )
    name = st.sampled_from(
        (
            *("user_uid", "limit", "exclude", "profile", "as_of", "select", "order", "offset", ""),
            *("colour", "listing_id", "%6cimit", "limit%00", "type", "event_id"),
        )
    )
    fitting = st.one_of(uids, numbers.map(str), TIMES, uids.map(lambda one: f"{{{one},{one}}}"))
    query = st.lists(
        st.tuples(name, st.one_of(fitting, texts)).map(lambda pair: f"{pair[0]}={quoted(pair[1])}"),
        max_size=4,
    ).map("&".join)
    body = objects(
        {"type": TYPES, "metadata": METADATA, "event_id": uids, "occurred_at": TIMES}
        | {"listing_id": uids, "user_uid": uids, "limit": numbers, "exclude": values}
        | {"events": st.lists(events(uids, listings), max_size=4), "profile": texts}
        | PREFERENCES
    )
    method = st.sampled_from(
        ("GET", "GET", "POST", "POST", "PATCH", "HEAD", "PUT", "DELETE", "FOO")
    )

    def act(example: tuple) -> None:
        caller, method, path, query, (kind, content), odd = example
        target = f"{path}?{query}" if query else path
        if method in ("GET", "HEAD"):
            kind, content = (), b""
        judge.send(Request(caller, method, target, (*kind, *odd), content))

    callers = st.sampled_from(("anon", "authenticated", "authenticated", "service_role"))
    fuzz(st.tuples(callers, method, path, query, bodies(body), headers), act, 0.25)


def test_what_was_found_before(judge: Judge) -> None:
    """Each of these once had an answer that said nothing, or the wrong thing."""
    preferences, one = "/rest/v1/preferences", "application/vnd.pgrst.object+json"
    long_tag, nan = {"title": "x", "tags": ["x" * 201]}, {"title": "x", "compensation": "NaN"}
    for status, method, path, odd, body in (
        (
            404,
            "DELETE",
            f"/api/v1/feed/interactions/{UNKNOWN_UID}",
            (("User-Agent", b"\x98"),),
            b"",
        ),
        (404, "GET", "/nothing.html", (), b""),
        (405, "PATCH", "/healthz", JSON, b"{}"),
        (405, "DELETE", "/rest/v1/", JSON, b"1"),
        (406, "PATCH", preferences, (*JSON, ("Accept", one)), b"{}"),
        (400, "PATCH", preferences, JSON, as_json({"preferred_tags": ["x" * 9000]})),
        (400, "POST", "/rest/v1/listings", JSON, as_json(long_tag)),
        (400, "POST", "/rest/v1/listings", JSON, as_json(nan)),
    ):
        answer = judge.send(Request("authenticated", method, path, odd, body))
        assert answer.status_code == status, (method, path, answer.text)


# ---------------------------------------------------------------------- interactions


def test_batches_of_malformed_events(
    judge: Judge, uids: st.SearchStrategy, listings: list[str]
) -> None:
    """What an answer calls recorded is in the log, and nothing else is."""
    log = "select count(*) from feed.user_interactions"
    policy = st.sampled_from(("abort", "skip", "skip"))
    batch = st.fixed_dictionaries(
        {"events": st.lists(events(uids, listings), max_size=8)},
        optional={"on_error": st.one_of(policy, policy, policy, texts)},
    )

    def act(example: tuple) -> None:
        caller, body, path = example
        request = Request(caller, "POST", path, JSON, as_json(body))
        (before,) = judge.db.execute(log).fetchone()
        answer = judge.send(request)
        (after,) = judge.db.execute(log).fetchone()
        if answer.status_code == 200:
            said = [item["status"] for item in answer.json()]
            if said.count("recorded") != after - before:
                judge.blame(request, f"{after - before} events were recorded", answer)
            if len(said) != len(body["events"]):
                judge.blame(request, "not one answer an event", answer)
            if "error" in said and body.get("on_error") != "skip":
                judge.blame(request, "a bad event was skipped unasked", answer)

    callers = st.sampled_from(("authenticated", "authenticated", "authenticated", "service_role"))
    path = st.sampled_from(("/api/v1/feed/interactions", "/rest/v1/rpc/track_interactions"))
    fuzz(st.tuples(callers, batch, path), act, 0.15)


def test_a_body_nested_too_deep(judge: Judge) -> None:
    """PostgreSQL's parser gives up before any function begins: a 503, as documented."""
    for path in ("/api/v1/feed/interactions", "/api/v1/feed", "/rest/v1/listings"):
        for depth in (1_000, 20_000, 400_000):
            request = Request("authenticated", "POST", path, JSON, nested(depth))
            assert judge.send(request).status_code in (400, 404, 503)
    assert judge.send(Request("anon", "GET", "/healthz")).status_code == 200


# ---------------------------------------------------------------------- preferences, upserts


def test_preferences(judge: Judge) -> None:
    """Whatever was taken, they read back as one row without contradiction, and feeds go on."""

    def act(example: tuple) -> None:
        caller, (kind, content), odd, path = example
        answer = judge.send(Request(caller, "PATCH", path, (*kind, *odd), content))
        if answer is not None and answer.is_success and caller == "authenticated":
            look = Request(caller, "GET", path)
            (row,) = judge.send(look).json()
            if set(row["preferred_tags"]) & set(row["blocked_tags"]):
                judge.blame(look, "a tag both preferred and blocked", answer)
            feed = Request(caller, "GET", "/api/v1/feed?limit=5")
            if judge.send(feed).status_code != 200:
                judge.blame(feed, "no feed under these preferences", answer)

    callers = st.sampled_from(("anon", "authenticated", "authenticated", "authenticated"))
    path = st.sampled_from(("/api/v1/preferences", "/rest/v1/preferences"))
    fuzz(st.tuples(callers, bodies(objects(PREFERENCES)), headers, path), act, 0.1)


@pytest.mark.parametrize("name", ["users", "posters", "listings"])
def test_upserts(judge: Judge, uids: st.SearchStrategy, listings: list[str], name: str) -> None:
    """All of a batch or nothing; for the application alone."""
    numbered = st.one_of(st.integers(-1, 9), numbers)
    fields = {
        "users": PREFERENCES,
        "posters": {"average_rating": numbered, "rating_count": numbered}
        | {"accepted_count": numbered, "completed_count": numbered, "poster_uid": uids},
        "listings": listing_fields(uids),
    }[name]
    key = {"users": "user_uid", "posters": "poster_uid", "listings": "listing_id"}[name]
    fresh = st.uuids(version=4).map(str)
    good = st.fixed_dictionaries(
        {key: fresh} | ({"title": st.just("x")} if name == "listings" else {})
    )
    row = st.one_of(good, st.builds(lambda one, other: one | other, good, objects(fields)), values)
    batch = st.lists(row, max_size=4)

    def act(example: tuple) -> None:
        caller, rows = example
        path = f"/rest/v1/rpc/upsert_{name}"
        judge.send(Request(caller, "POST", path, JSON, as_json({name: rows})))

    callers = st.sampled_from(("service_role", "service_role", "service_role", "authenticated"))
    fuzz(st.tuples(callers, batch), act, 0.035)


def test_the_jobs_run_over_what_was_taken(judge: Judge, ann: str) -> None:
    """Nothing that was taken is poison: scores, vectors, trending and feeds come of it."""
    for job in ("refresh_engagement", "train_models", "refresh_trending"):
        judge.db.execute(f"call jobs.{job}()")
    (failed,) = judge.db.execute(
        "select count(*) from jobs.run_states where state <> 'finished'"
    ).fetchone()
    assert failed == 0
    for path in ("/api/v1/feed?limit=200", "/api/v1/trending", "/rest/v1/listings"):
        assert judge.send(Request("authenticated", "GET", path)).status_code == 200


# ---------------------------------------------------------------------- loading files

CELLS = st.one_of(
    st.sampled_from(NASTY_TEXTS),
    st.sampled_from(
        (
            *("a0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000001"),
            *("1990-01-01", "2199-12-31T23:59:59.9999999+14:00", "2024-05-01T00:00:00+23:59:59"),
            *("2024-05-01 10", "٢٠٢٤-05-01", "1e3", "+5", "5.", "1_000", "999999999999.989", "１"),
            *(
                "jazz|JAZZ|",
                "İ|i̇",
                "ẞ|ß",
                "a\x1fb",
                "\x1f",
                "\x85",
                "\u3000",
                "a\rb",
                'x"y',
                "=1+1",
            ),
            *('{"a": 1}', '{"a": NaN}', '{"a": "\\ud800"}', '{"a": 1e99999}', "[]", "[" * 5000),
            *("https://x", "HTTPS://\u00e9", "https://" + "x" * 2000),
        )
    ),
    st.text(max_size=8),
)


def damage(text: str) -> dict[str, bytes]:
    """Whole files gone wrong, by what happened to them."""
    good = text.encode()
    return {
        "nothing": good,
        "a byte order mark": b"\xef\xbb\xbf" + good,
        "line ends of Windows": good.replace(b"\n", b"\r\n"),
        "line ends of old": good.replace(b"\n", b"\r"),
        "UTF-16": text.encode("utf-16"),
        "Latin-1": good + b"\xe9\n",
        "NUL": good.replace(b",", b",\0", 1),
        "an open quote": good.replace(b",", b',"', 1),
        "a quote in a field": good.replace(b",", b'x"y,', 1),
        "semicolons": good.replace(b",", b";"),
        "cut in the middle": good[: len(good) // 2],
        "no header": good.partition(b"\n")[2],
        "a header alone": good.partition(b"\n")[0],
        "the header twice": good.partition(b"\n")[0] + b"\n" + good,
        "blank lines": good.replace(b"\n", b"\n\n"),
        "every row twice": good + good.partition(b"\n")[2],
        "nothing in it": b"",
    }


DAMAGES = sorted(damage(""))
NAMES = tuple(table.name for table in csv_layout.TABLES)

edits = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 99), st.integers(0, 99), CELLS),
    max_size=4,
)
damages = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(DAMAGES), max_size=1)
packings = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from(("gzip", "cut gzip", "false gzip")), max_size=1
)


def write(folder: Path, edits: list, damages: dict, packings: dict) -> None:
    """The village with some cells, and perhaps a file, gone wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(VILLAGE, folder)
    for path in sorted(folder.glob("*.csv")):
        name = path.stem
        with path.open(newline="") as file:
            rows = list(csv.reader(file))
        for where, row, column, cell in edits:
            if where == name:
                line = rows[1 + row % (len(rows) - 1)]
                line[column % len(line)] = cell
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        content = text.getvalue().encode("utf-8", "surrogatepass")
        if name in damages:
            content = damage(content.decode("utf-8", "replace"))[damages[name]]
        packing = packings.get(name)
        if packing:
            path.unlink()
            path = path.with_suffix(".csv.gz")
            content = content if packing == "false gzip" else gzip.compress(content)
            content = content[: len(content) // 2] if packing == "cut gzip" else content
        path.write_bytes(content)


def test_malformed_files(scratch: psycopg.Connection, tmp_path: Path) -> None:
    """A load is refused by file and line with nothing changed, or it is all there."""
    outcomes = {"loaded": 0, "refused": 0}
    before = world.fingerprint(scratch)

    def act(example: tuple) -> None:
        nonlocal before
        folder = tmp_path / "village"
        write(folder, *example)
        refused = ""
        try:
            load.load(scratch, folder, False, Stages("load"))
        except staging.LoadRefused as refusal:
            refused = str(refusal)
        outcomes["refused" if refused else "loaded"] += 1
        if refused:
            assert ".csv" in refused, f"refused without a file and a line: {refused}"
            assert world.fingerprint(scratch) == before
        else:
            before = world.fingerprint(scratch)

    fuzz(st.tuples(edits, damages, packings), act, 0.02)
    check_counters(scratch)
    assert min(outcomes.values()) > 0, outcomes
    print(f"\nloads: {outcomes}")


@pytest.mark.parametrize("table", csv_layout.TABLES, ids=lambda table: table.name)
def test_the_reader_of_files(table: csv_layout.Table, tmp_path: Path) -> None:
    """Whatever the bytes are, there are rows, problems, or a file that cannot be used."""
    header = ",".join(table.columns).encode() + b"\n"
    path = tmp_path / f"{table.name}.csv"

    def act(example: tuple) -> None:
        has_header, rows, tail = example
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        path.write_bytes(
            header * has_header + text.getvalue().encode("utf-8", "surrogatepass") + tail
        )
        reading = csv_layout.Reading()
        try:
            for line, row in csv_layout.read_table(path, table, reading):
                assert line > 1
                assert row.get(table.key, True)
        except csv_layout.UnusableFile:
            pass

    width = len(table.columns)
    row = st.lists(CELLS, min_size=width, max_size=width)
    some = st.one_of(row, row, row, st.lists(CELLS, max_size=3))
    fuzz(st.tuples(st.booleans(), st.lists(some, max_size=4), st.binary(max_size=10)), act, 0.1)
