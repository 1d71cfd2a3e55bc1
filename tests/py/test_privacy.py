"""Privacy: tickets over HTTP, deletion and retention under fire, and a feed without behaviour."""

import random
import threading
import time
import uuid
from collections.abc import Callable

import psycopg
import pytest
from psycopg.types.json import Jsonb

from harness import Instance
from test_counting_concurrency import Arena, Session
from test_jobs import started, states, until, value
from test_training import LISTINGS, WORLD
from world import Town, assert_error

IMPRESSIONS = "/api/v1/feed/impressions"


@pytest.fixture
def arena(instance: Instance, scratch_name: str) -> Callable[..., Arena]:
    """Makes users and listings in a scratch database."""
    return lambda **size: Arena(lambda: instance.connect(scratch_name), **size)


def assert_counters_hold(connection: psycopg.Connection) -> None:
    assert connection.execute("select * from tests.wrong_counters").fetchall() == []


# ---------------------------------------------------------------------- tickets


@pytest.mark.usefixtures("quiet")
def test_what_was_on_the_screen_is_recorded_once(here: Town, db: psycopg.Connection) -> None:
    user = here.user()
    listings = here.listings({"km": km} for km in (1, 2, 3))
    tickets = [row["ticket"] for row in here.feed(user, limit=3)]
    assert here.send(user, IMPRESSIONS, tickets=tickets[:2]) == {
        "received": 2,
        "recorded": 2,
        "duplicates": 0,
    }
    # The request that got no answer, sent again with one more.
    assert here.send(user, IMPRESSIONS, tickets=tickets) == {
        "received": 3,
        "recorded": 1,
        "duplicates": 2,
    }
    stored = db.execute(
        "select listing_id::text, position, ticket from feed.feed_impressions"
        " where user_uid = %s order by position",
        (user,),
    ).fetchall()
    assert stored == list(zip(listings, (1, 2, 3), tickets, strict=True))
    assert here.feed_ids(user) == listings


@pytest.mark.usefixtures("quiet")
def test_what_was_not_shown_to_me_is_refused_and_nothing_is_written(
    here: Town, db: psycopg.Connection
) -> None:
    user, other = here.user(), here.user()
    here.listings([{}, {}])
    good, fine = (row["ticket"] for row in here.feed(user))
    foreign = here.feed(other)[0]["ticket"]
    forged = fine.replace(".default.", ".other.")
    for bad, status, says in (
        (foreign, 403, "tickets[1] was not given to this user"),
        (forged, 403, "tickets[1] was not given to this user"),
        (fine[:-1], 400, "tickets[1] is no ticket"),
        (None, 400, "tickets[1] is no ticket"),
    ):
        answer = here.call(user, "POST", IMPRESSIONS, json={"tickets": [good, bad]})
        assert_error(answer, status, code=f"PT{status}", says=says)
    assert_error(here.call(user, "POST", IMPRESSIONS, json={"tickets": []}), 400)
    assert_error(here.call(None, "POST", IMPRESSIONS, json={"tickets": [good]}), 401)
    assert_error(here.call(user, "GET", IMPRESSIONS), 405)
    assert value(db, "select count(*) from feed.feed_impressions where user_uid = %s", user) == 0


# ---------------------------------------------------------------------- export, deletion


@pytest.mark.usefixtures("quiet")
def test_all_of_mine_is_exported_and_then_gone(here: Town, db: psycopg.Connection) -> None:
    user = here.user(preferred_tags=["jazz"])
    first, second = here.listing(km=1), here.listing(km=2)
    own = here.listing("My own", poster_uid=user)
    here.send(user, IMPRESSIONS, tickets=[here.feed(user)[0]["ticket"]])
    event = here.track(user, first, "dismiss")["event_id"]
    export = here.ask(user, "/rest/v1/rpc/export_my_data")
    assert export["preferences"]["preferred_tags"] == ["jazz"]
    assert [row["event_id"] for row in export["interactions"]] == [event]
    assert [row["listing_id"] for row in export["impressions"]] == [first]
    assert [row["listing_id"] for row in export["listings"]] == [own]
    assert here.feed_ids(user) == [second]

    other = here.user()
    assert set(here.feed_ids(other)) == {first, second, own}
    for path in ("export_my_data", "delete_my_data"):
        answer = here.call(other, "POST", f"/rest/v1/rpc/{path}", json={"user_uid": user})
        assert_error(answer, 403, code="PT403")
        assert_error(here.call(None, "POST", f"/rest/v1/rpc/{path}", json={}), 401)
    assert here.call(user, "GET", "/rest/v1/rpc/delete_my_data").status_code == 405

    answer = here.send(user, "/rest/v1/rpc/delete_my_data")
    assert answer == {
        "user_uid": user,
        "status": "deleted",
        "interactions": 1,
        "impressions": 1,
        "listings": 1,
    }
    # From that commit on, with the same token: the listing is in nobody's feed, the user is new.
    here.posted.remove(own)
    assert set(here.feed_ids(other)) == {first, second}
    found = here.ask(user, "/rest/v1/rpc/export_my_data")
    assert {key for key, of in found.items() if of} == {"user_uid", "exported_at"}
    assert here.ask(None, "/rest/v1/listings", listing_id=f"eq.{own}")[0]["poster_uid"] is None
    undo = here.call(user, "DELETE", f"/api/v1/feed/interactions/{event}")
    assert_error(undo, 404, code="PT404")
    assert here.track(user, first, "view")["status"] == "recorded"
    dismissals = "select dismiss_count from feed.engagement_metrics where listing_id = %s"
    assert value(db, dismissals, first) == 1
    assert_counters_hold_behind_the_gateway(db)


def assert_counters_hold_behind_the_gateway(db: psycopg.Connection) -> None:
    wrong = db.execute(
        """
        select listing_id from feed.engagement_metrics as m
        full join feed.expected_engagement as e using (listing_id)
        where (m.view_count, m.dismiss_count) is distinct from (e.view_count, e.dismiss_count)
        """
    )
    assert wrong.fetchall() == []


def test_users_who_leave_while_they_write(
    arena: Callable[..., Arena], scratch: psycopg.Connection
) -> None:
    """Every call succeeds, whichever comes first, and what counted counts."""
    field = arena(users=3, listings=6)
    poster, leaver, third = field.users
    done = threading.Event()

    def work(session: Session, number: int) -> None:
        chance = random.Random(number)
        if number == 0:
            try:
                for turn in range(15):
                    session.call((leaver, poster)[turn % 2], "select api.delete_my_data()")
            finally:
                done.set()
        while not done.is_set():
            listings = chance.sample(field.listings, 4)
            views = [{"listing_id": listing, "type": "view"} for listing in listings]
            if number == 1:
                session.call(poster, "insert into api.listings (title) values ('x') returning 1")
            elif number == 2:
                # Of a user who has gone the application is told so; the others are recorded.
                events = [{"user_uid": chance.choice((leaver, third))} | view for view in views]
                session.call(
                    None,
                    "select api.track_interactions(%s, 'skip')",
                    Jsonb(events),
                    role="service_role",
                )
            elif number == 3:
                session.call(
                    leaver,
                    "select case when count(*) > 0 then api.track_impressions(array_agg(ticket))"
                    " end from api.get_feed()",
                )
            else:
                session.track(leaver, listings[0], chance.choice(("view", "save")))
                session.batch(leaver, views)

    field.at_once(6, work)
    assert_counters_hold(scratch)
    with field.session() as session:
        for user in field.users:
            session.call(user, "select api.delete_my_data()")
    assert_counters_hold(scratch)
    assert value(scratch, "select count(*) from feed.users") == 0
    assert value(scratch, "select count(*) from feed.user_interactions") == 0
    assert value(scratch, "select sum(save_count) from feed.engagement_metrics") > 0


def test_neighbors_who_leave_at_once(
    arena: Callable[..., Arena], scratch: psycopg.Connection
) -> None:
    """All are in the lists of all; nobody waits for ever, and nobody is put back."""
    field = arena(users=12, listings=1)
    scratch.execute("insert into ml.models (trained_at) values (now())")
    scratch.execute(
        """
        insert into ml.user_neighbors (model_id, user_no, neighbor_nos, similarities)
        select
            (select model_id from ml.models), u.user_no,
            array(select v.user_no from feed.users as v where v <> u order by hashint4(v.user_no)),
            array(select 0.5 from feed.users as v where v <> u)
        from feed.users as u
        order by hashint4(u.user_no)
        """
    )
    # The last four stay.
    field.at_once(8, lambda s, n: s.call(field.users[n], "select api.delete_my_data()"))
    stayed = {no for (no,) in scratch.execute("select user_no from feed.users")}
    assert len(stayed) == 4
    lists = scratch.execute("select user_no, neighbor_nos from ml.user_neighbors").fetchall()
    assert {user: set(nos) for user, nos in lists} == {user: stayed - {user} for user in stayed}


# ---------------------------------------------------------------------- without behaviour


@pytest.mark.parametrize("tags", [[], ["tag 1", "tag 5"]], ids=["no tags", "own tags"])
def test_without_personalization_the_feed_is_that_of_somebody_new(
    scratch: psycopg.Connection, tags: list[str]
) -> None:
    """A user with a rich history who opted out, and a new user in the same place."""
    scratch.execute(WORLD)
    scratch.execute("call ml.train(now(), null, null)")
    rich = value(scratch, "select user_uid from feed.users where user_no = 12")
    fresh = str(uuid.uuid4())
    scratch.execute("insert into feed.users (user_uid) values (%s)", (fresh,))
    for user in (rich, fresh):
        scratch.execute(
            """
            update feed.users set location = ext.st_point(10.5, 45.5, 4326) where user_uid = %s
            """,
            (user,),
        )
        scratch.execute(
            "insert into feed.user_feed_preferences (user_uid, max_distance, preferred_tags)"
            " values (%s, 2000, %s)",
            (user, tags),
        )
    # What the rich one has applied to, dismissed or seen lately is not shown to the new one either.
    as_of = value(scratch, "select now()")
    shown = "select listing_id from feed.score_listings(%s, 'default', %s)"
    excluded = [
        listing
        for (listing,) in scratch.execute(
            f"select listing_id from feed.listings except {shown}", (rich, as_of)
        )
    ]
    assert 10 < len(excluded) < LISTINGS - 20
    # Their own choices count, too, and all of them at once.
    scratch.execute("delete from ml.listing_neighbors")
    scratch.execute(
        """
        insert into ml.listing_neighbors (model_id, listing_no, neighbor_nos, similarities)
        select c.model_id, l.listing_no, array(
                select o.listing_no from feed.listings as o
                where o.listing_no > l.listing_no order by o.listing_no limit 3
            ), array_fill(0.5::real, array[least(3, count(*) over (
                order by l.listing_no rows between 1 following and unbounded following))::int])
        from feed.listings as l, ml.current_model as c
        """
    )
    scratch.execute(
        "update feed.ranking_profiles set location_weight = 0.05, poster_affinity_weight = 0.1,"
        " item_similarity_weight = 0.1"
    )

    def feed(user: str) -> list[tuple]:
        return scratch.execute(
            "select rank, listing_id, score, components, reason, distance_km"
            " from api.get_feed(%s, 200, as_of => %s, exclude => %s)",
            (user, as_of, excluded),
        ).fetchall()

    personal, impersonal = feed(rich), feed(fresh)
    assert {row[1] for row in personal} == {row[1] for row in impersonal}
    assert [row[2] for row in personal] != [row[2] for row in impersonal]
    assert any(row[3]["item_similarity"]["value"] for row in personal)
    assert not any(row[3]["item_similarity"]["value"] for row in impersonal)
    scratch.execute(
        "update feed.user_feed_preferences set personalization_enabled = false where user_uid = %s",
        (rich,),
    )
    assert feed(rich) == impersonal
    reference = (
        "select * from feed.score_listings(%s, 'default', %s) where listing_id <> all(%s)"
        " order by listing_id"
    )
    of_rich, of_fresh = (
        scratch.execute(reference, (user, as_of, excluded)).fetchall() for user in (rich, fresh)
    )
    assert of_rich == of_fresh != []


def test_without_personalization_a_user_is_nobodys_neighbor_and_not_trained(
    scratch: psycopg.Connection,
) -> None:
    scratch.execute(WORLD)
    scratch.execute("call ml.train(now(), null, null)")
    choices = """
        select u.user_no, c.listing_no, sum(round(c.contribution::numeric, 9))
        from feed.users as u
        cross join lateral feed.neighbor_choices(u.user_uid, 'default', %s) as c
        where u.user_no <> 12
        group by 1, 2 order by 1, 2
    """
    now = value(scratch, "select now()")
    before = scratch.execute(choices, (now,)).fetchall()
    scratch.execute(
        "insert into feed.user_feed_preferences (user_uid, personalization_enabled)"
        " select user_uid, false from feed.users where user_no = 12"
    )
    # From that commit on as if there had never been such a neighbor.
    opted_out = scratch.execute(choices, (now,)).fetchall()
    with scratch.transaction(force_rollback=True):
        scratch.execute("select ml.forget_user(12)")
        assert scratch.execute(choices, (now,)).fetchall() == opted_out != before
    scratch.execute("call ml.train(now(), null, null)")
    assert value(scratch, "select count(*) from ml.user_vectors where user_no = 12") == 0
    assert value(scratch, "select count(*) from ml.user_neighbors where user_no = 12") == 0
    assert (
        value(scratch, "select count(*) from ml.user_neighbors where 12 = any(neighbor_nos)") == 0
    )
    assert value(scratch, "select count(*) from ml.user_vectors") > 0


# ---------------------------------------------------------------------- retention

OLD_LOG = """
select feed.ensure_partitions(now() - interval '8 months', now());
insert into feed.users (user_uid) select gen_random_uuid() from generate_series(1, 20);
insert into feed.listings (title) select 'x' from generate_series(1, 30);
insert into feed.user_interactions (user_uid, listing_id, type, created_at)
select
    u.user_uid,
    l.listing_id,
    (enum_range(null::feed.interaction_type))[1 + (u.user_no * 7 + l.listing_no + n) % 6],
    now() - ((u.user_no * 31 + l.listing_no * 17 + n * 101) % 230) * interval '1 day'
from feed.users as u, feed.listings as l, generate_series(1, 4) as n;
update feed.data_lifetimes set interaction_lifetime = '3 months', impression_lifetime = '3 months'
"""

FACTS = """
select
    (select jsonb_agg(to_jsonb(m) order by m.listing_id) from feed.engagement_metrics as m),
    (select jsonb_agg(to_jsonb(s) order by s.user_no, s.listing_no)
    from feed.user_listing_states as s)
"""

PARTITIONS = "select count(*) from pg_inherits where inhparent = 'feed.user_interactions'::regclass"


def test_old_months_go_and_nothing_else_changes(scratch: psycopg.Connection) -> None:
    scratch.execute(OLD_LOG)
    facts = scratch.execute(FACTS).fetchall()
    logged = value(scratch, "select count(*) from feed.user_interactions")
    outlived = value(scratch, "select count(*) from feed.outlived_partitions")
    assert outlived >= 8  # of both tables
    scratch.execute("call jobs.keep_house()")
    scratch.execute("call jobs.keep_house()")
    assert scratch.execute(FACTS).fetchall() == facts
    assert_counters_hold(scratch)
    dropped = scratch.execute(
        "select details -> 'partitions_dropped' from jobs.runs order by run_id"
    ).fetchall()
    assert dropped == [(outlived,), (0,)]
    kept = value(scratch, "select count(*) from feed.user_interactions")
    assert 0 < kept < logged
    assert value(scratch, "select count(*) from feed.interaction_keys") == kept
    assert value(
        scratch,
        "select min(created_at) >= date_trunc('month', now()) - interval"
        " '3 months' from feed.user_interactions",
    )


def test_a_run_killed_while_it_drops_a_month_has_done_nothing(
    instance: Instance, scratch: psycopg.Connection, scratch_name: str
) -> None:
    scratch.execute(OLD_LOG)
    tables = "select (select count(*) from feed.engagement_base), (select count(*) from"
    tables += f" feed.interaction_keys), ({PARTITIONS})"
    before, facts = scratch.execute(tables).fetchall(), scratch.execute(FACTS).fetchall()
    assert before[0][0] == 0
    with instance.connect(scratch_name, autocommit=False) as reader:
        # As long as somebody reads the log, the month cannot be dropped: the run tries and tries.
        reader.execute("select count(*) from feed.user_interactions")
        with started(instance, scratch_name, "keep_house") as process:
            pid = until(
                lambda: value(
                    scratch,
                    "select max(pid) from pg_locks where not granted"
                    " and relation = 'feed.user_interactions'::regclass",
                ),
                "the run waits for the log",
            )
            # Meanwhile everybody reads and writes.
            user = value(scratch, "select user_uid from feed.users limit 1")
            listing = value(scratch, "select listing_id from feed.listings limit 1")
            with scratch.transaction(force_rollback=True):
                scratch.execute(
                    "insert into feed.user_interactions (user_uid, listing_id, type)"
                    " values (%s, %s, 'share')",
                    (user, listing),
                )
                scratch.execute("select api.export_my_data(%s)", (user,))
            assert value(scratch, "select pg_terminate_backend(%s)", pid)
            until(lambda: process.poll() is not None, "the job ended")
    assert states(scratch, "keep_house") == ["failed"]
    assert scratch.execute(tables).fetchall() == before
    assert_counters_hold(scratch)
    scratch.execute("call jobs.keep_house()")
    assert value(scratch, "select count(*) from feed.outlived_partitions") == 0
    assert scratch.execute(FACTS).fetchall() == facts
    assert_counters_hold(scratch)


def test_months_go_while_users_write_take_back_and_leave(
    arena: Callable[..., Arena], scratch: psycopg.Connection
) -> None:
    field = arena(users=4, listings=10)
    scratch.execute(OLD_LOG)
    old = scratch.execute(
        "select user_uid::text, event_id::text from feed.user_interactions"
        " where created_at < now() - interval '5 months'"
    ).fetchall()
    leavers = [uid for (uid,) in scratch.execute("select user_uid::text from feed.users limit 8")]
    done = threading.Event()

    def work(session: Session, number: int) -> None:
        chance = random.Random(number)
        if number == 0:
            try:
                time.sleep(0.1)
                session.connection.execute("call jobs.keep_house()")
            finally:
                done.set()
        elif number == 1:
            for leaver in leavers:
                session.call(leaver, "select api.delete_my_data()")
        while not done.is_set():
            if number == 2:
                user, event = chance.choice(old)
                try:
                    session.retract(user, event)
                except psycopg.Error as error:
                    # Gone with its month, or with its user; anything else is a defect.
                    if error.sqlstate != "PT404":
                        raise
            else:
                session.track(chance.choice(field.users), chance.choice(field.listings), "view")

    field.at_once(5, work)
    assert states(scratch, "keep_house") == ["finished"]
    assert value(scratch, "select count(*) from feed.outlived_partitions") == 0
    assert_counters_hold(scratch)
