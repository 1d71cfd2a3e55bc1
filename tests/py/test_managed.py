"""The product on a server of others: no plpython3u, and whoever deploys is no superuser.

The service, that is its superuser, makes what docs/dba/managed.md tells one to click: the web
roles, PostGIS in the schema ext. All else is done by DEPLOYER, who may make roles and databases
and no more, with the commands of the page. Exactness for all kinds of worlds is in
test_engine_exact, which runs under both engines.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest

from engine_world import CHANGES, STATISTICS, World
from harness import BINARIES, REPOSITORY, Instance, clean_environment, run
from pgfeed.manual.pages import blocks
from pgfeed.outside import OutsideDatabase
from pgfeed.reading import read_listings_by_no, read_projection
from test_upgrade import CHANGES as LEDGER
from test_upgrade import make_older

DEPLOYER = "dba"
PAGE = REPOSITORY / "docs/dba/managed.md"
COMMANDS = {
    block.reason.split()[-1]: block.code
    for block in blocks(PAGE, REPOSITORY)
    if block.fate == "run-by"
}
OURS = "('api', 'identity', 'feed', 'ml', 'jobs', 'analytics', 'ops')"
CODE = f"""
select i.type || ' ' || i.identity, pg_get_functiondef(p.oid)
from pg_proc as p, pg_identify_object('pg_proc'::regclass, p.oid, 0) as i
where p.pronamespace::regnamespace::text in {OURS}
union all
select 'view ' || c.oid::regclass, pg_get_viewdef(c.oid)
from pg_class as c
where c.relkind = 'v' and c.relnamespace::regnamespace::text in {OURS}
union all
select 'trigger ' || t.tgname || ' ' || t.tgrelid::regclass, pg_get_triggerdef(t.oid)
from pg_trigger as t where not t.tgisinternal
order by 1
"""


class Managed:
    """The service's instance, as DEPLOYER has it."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.dsn = instance.dsn(user=DEPLOYER)

    def environment(self, **variables: str) -> dict[str, str]:
        values = self.instance.values
        path = f"{BINARIES}:{os.environ['PATH']}"
        return clean_environment(
            PGHOST=values["PGHOST"],
            PGPORT=values["PGPORT"],
            PGDATABASE="pgfeed",
            PGUSER=DEPLOYER,
            PATH=path,
            **variables,
        )

    def page(
        self, name: str, *, check: bool = True, **variables: str
    ) -> subprocess.CompletedProcess:
        """Runs a block of the page, as whoever reads it would."""
        environment = self.environment(**variables)
        words = ("bash", "-euc", COMMANDS[name])
        return run(*words, cwd=REPOSITORY, env=environment, check=check)

    def bin(
        self, name: str, *arguments: str, check: bool = True, **variables: str
    ) -> subprocess.CompletedProcess:
        environment = self.environment(**variables)
        return run(REPOSITORY / "bin" / name, *arguments, env=environment, check=check)

    def connect(self, **options: bool) -> psycopg.Connection:
        return psycopg.connect(self.dsn, autocommit=True, **options)

    def service(self) -> psycopg.Connection:
        """The superuser's session."""
        return self.instance.connect()


@pytest.fixture(scope="module")
def managed(test_home: Path) -> Iterator[Managed]:
    instance = Instance(test_home / "managed").up("--no-http", "--no-deploy")
    managed = Managed(instance)
    try:
        with instance.connect("postgres") as service:
            service.execute(COMMANDS["roles"])
            service.execute(f"create role {DEPLOYER} login createrole createdb")
            service.execute(f"create database pgfeed owner {DEPLOYER}")
        with managed.connect() as owner:
            owner.execute(COMMANDS["schema"])
        with managed.service() as service:
            service.execute(COMMANDS["extensions"])
            service.execute(COMMANDS["bounds"])
            # As Supabase has it.
            service.execute("create schema extensions")
            service.execute("grant usage on schema extensions to public")
            service.execute("create extension pgcrypto schema extensions")
        managed.deployment = managed.page("deploy")
        with managed.service() as service:
            service.execute(COMMANDS["prerequest"])
        instance.up("--no-deploy")
        yield managed
    finally:
        instance.remove()


@pytest.fixture(scope="module")
def owner(managed: Managed) -> Iterator[psycopg.Connection]:
    with managed.connect() as connection:
        yield connection


Call = Callable[..., object]


@pytest.fixture(scope="module")
def call(managed: Managed) -> Iterator[Call]:
    """Asks PostgREST, as whom a token says."""
    instance = managed.instance

    with instance.client(instance.rest_url) as client:

        def ask(function: str, who: object = None, role: str = "authenticated", **body: object):
            answer = client.post(
                f"/rpc/{function}", json=body, headers=instance.authorization(who, role)
            )
            assert answer.status_code < 300, answer.text
            return answer.json() if answer.content else None

        yield ask


def test_there_is_no_python_and_no_superuser(managed: Managed, owner: psycopg.Connection) -> None:
    assert "files new" in managed.deployment.stderr
    deployed = owner.execute("select change from sqitch.changes order by committed_at").fetchall()
    assert [change for (change,) in deployed] == LEDGER
    facts = owner.execute(
        """
        select
            (select r.rolsuper or r.rolbypassrls from pg_roles as r where r.rolname = current_user),
            array(select e.extname::text from pg_extension as e order by 1),
            (select e.feed_engine::text from ops.engine_in_force as e)
        """
    ).fetchone()
    assert facts == (False, ["intarray", "pgcrypto", "plpgsql", "postgis"], "sql")
    used = owner.execute(
        "select p.oid::regprocedure::text from pg_proc as p"
        " inner join pg_language as l on p.prolang = l.oid where l.lanname like 'plpython%'"
    ).fetchall()
    assert used == []
    others = owner.execute(
        f"""
        select p.oid::regprocedure::text from pg_proc as p
        where p.pronamespace::regnamespace::text in {OURS} and p.proowner <> 'feed_owner'::regrole
        union all
        select c.oid::regclass::text from pg_class as c
        where c.relnamespace::regnamespace::text in {OURS} and c.relowner <> 'feed_owner'::regrole
        """
    ).fetchall()
    # Which of feed_owner would see nothing where the deployer is a superuser.
    assert others == [("ops.received_timeline()",)]


def test_a_deployment_without_news_does_nothing(managed: Managed) -> None:
    """Which engine it is need not be said again."""
    done = managed.bin("deploy", "--libpq")
    assert done.stdout == "" and "new" not in done.stderr and "changes" not in done.stderr


def test_python_cannot_be_deployed_there(managed: Managed) -> None:
    done = managed.bin("deploy", "--libpq", PGFEED_ENGINE="python", check=False)
    assert done.returncode != 0
    assert "only a superuser can deploy the engine in Python" in done.stderr


def test_an_upgrade_leaves_what_a_fresh_installation_makes(
    managed: Managed, owner: psycopg.Connection, tmp_path: Path
) -> None:
    """Signatures that change, files that come and go, rights that were too much."""
    fresh = owner.execute(CODE).fetchall()
    shutil.copytree(REPOSITORY / "sql", tmp_path / "sql")
    make_older(tmp_path / "sql")
    managed.bin("apply-code", "--sql", str(tmp_path / "sql"))
    assert owner.execute(CODE).fetchall() != fresh
    managed.bin("apply-code")
    assert owner.execute(CODE).fetchall() == fresh
    assert managed.bin("apply-code").stdout == ""


# ------------------------------------------------------------------ a small world


@pytest.fixture(scope="module")
def world(managed: Managed, owner: psycopg.Connection) -> str:
    """People, listings and what they did with them; then the training from outside."""
    managed.bin("pgfeed", "--libpq", "synth", "--scale", "tiny")
    assert "train: model" in managed.page("train").stdout
    managed.page("jobs")
    (user,) = owner.execute(
        """
        select u.user_uid from ml.user_vectors as v inner join feed.users as u using (user_no)
        where u.location is not null and v.feature_vector is not null
        order by u.user_no limit 1
        """
    ).fetchone()
    return str(user)


def test_vectors_of_new_listings_are_those_of_the_training(
    managed: Managed, world: str, owner: psycopg.Connection
) -> None:
    """All that the trigger can meet: no tag, unknown tags, no pay, a currency never seen."""
    numbers = [
        number
        for (number,) in owner.execute(
            """
            insert into feed.listings (
                title, tags, location, compensation, currency, poster_uid
            )
            select
                'new',
                case when l.listing_no % 5 = 0 then '{}'
                    when l.listing_no % 5 = 1 then array['aaa never seen'] || l.tags
                    else l.tags end,
                case when l.listing_no % 7 > 0 then l.location end,
                case when l.listing_no % 3 > 0 then l.compensation end,
                case when l.listing_no % 11 = 0 then 'XXX' else l.currency end,
                case when l.listing_no % 4 > 0 then l.poster_uid end
            from feed.listings as l
            where l.listing_no <= 200
            returning listing_no
            """
        )
    ]
    owner.execute("insert into feed.listings (title) values ('nothing known')")
    numbers.append(owner.execute("select max(listing_no) from feed.listings").fetchone()[0])
    written = dict(
        owner.execute(
            "select listing_no, feature_vector from ml.listing_vectors where listing_no = any(%s)",
            (numbers,),
        ).fetchall()
    )
    assert sorted(written) == sorted(numbers) and written[max(numbers)] is None
    database = OutsideDatabase(psycopg.connect(managed.dsn))
    (model,) = owner.execute("select model_id from ml.current_model").fetchone()
    facts = read_listings_by_no(database, numbers)
    vectors = read_projection(database, model).listing_vectors(facts)
    for number, vector in zip(facts.listing_nos.tolist(), vectors, strict=True):
        expected = np.full(vectors.shape[1], np.nan) if written[number] is None else written[number]
        assert np.allclose(expected, vector, rtol=0, atol=1e-6, equal_nan=True), number
    database.connection.close()
    owner.execute("delete from feed.listings where listing_no = any(%s)", (numbers,))


def shown(call: Call, user: str, **body: object) -> list[str]:
    return [row["listing_id"] for row in call("get_feed", user, **body)]


def test_a_feed_over_http_is_fresh_at_every_commit(
    world: str, owner: psycopg.Connection, call: Call
) -> None:
    poster = str(uuid.uuid4())
    call("upsert_posters", role="service_role", posters=[{"poster_uid": poster}])
    lat, lon = owner.execute(
        "select ext.st_y(location::ext.geometry), ext.st_x(location::ext.geometry)"
        " from feed.users where user_uid = %s",
        (world,),
    ).fetchone()
    tags = owner.execute("select tags from feed.user_context(%s, 10)", (world,)).fetchone()[0]
    listings = [
        {"listing_id": str(uuid.uuid4()), "poster_uid": poster, "title": f"New {n}", "tags": tags,
         "lat": lat, "lon": lon}
        for n in range(3)
    ]  # fmt: skip
    new = [listing["listing_id"] for listing in listings]
    assert not set(new) & set(shown(call, world, limit=200))
    call("upsert_listings", role="service_role", listings=listings)
    assert set(new) <= set(shown(call, world, limit=20))
    call("track_interaction", world, listing_id=new[0], type="dismiss", event_id=str(uuid.uuid4()))
    assert set(new) & set(shown(call, world, limit=20)) == set(new[1:])
    closed = [listings[1] | {"status": "closed"}]
    call("upsert_listings", role="service_role", listings=closed)
    assert set(new) & set(shown(call, world, limit=20)) == {new[2]}
    # The best listing loses its tags and its place.
    moved = [{"listing_id": new[2], "poster_uid": poster, "title": "New 2", "tags": []}]
    before = call("get_feed", world, limit=200)
    call("upsert_listings", role="service_role", listings=moved)
    after = call("get_feed", world, limit=200)
    score = {row["listing_id"]: row["score"] for row in before}[new[2]]
    assert {row["listing_id"]: row["score"] for row in after}.get(new[2], 0) < score - 0.1
    owner.execute("update feed.listings set status = 'closed' where listing_id = any(%s)", (new,))


def test_the_jobs_run_as_the_deployer(
    managed: Managed, world: str, owner: psycopg.Connection
) -> None:
    """All that computes, in one command: the training from outside, then the jobs."""
    done = managed.bin("pgfeed", "--libpq", "train")
    assert "train: model" in done.stdout and "refresh_analytics wrote" in done.stdout
    owner.execute("call jobs.keep_house()")
    state = "select job, state from analytics.job_health where state <> 'finished'"
    assert owner.execute(state).fetchall() == []
    assert owner.execute("select count(*) from feed.listing_changes").fetchone() == (0,)
    scored = "select count(*) > 100 from feed.listing_digests where engagement_score > 0"
    assert owner.execute(scored).fetchone() == (True,)


def test_the_feeds_of_the_world_are_exact(world: str, managed: Managed) -> None:
    """As deployed, and with the models that were trained from outside."""
    with managed.service() as service:
        users = service.execute(
            "select user_uid, clock_timestamp() from feed.users order by user_no limit 12"
        ).fetchall()
        for user, now in users:
            request = (user, now)
            reference = service.execute(
                "select listing_id, score from feed.score_listings(%s, 'default', %s)"
                " order by round(score::numeric, 9) desc, created_at desc, listing_id limit 50",
                request,
            ).fetchall()
            feed = service.execute(
                'select listing_id, score from api.get_feed(%s, "limit" => 50, as_of => %s)',
                request,
            ).fetchall()
            assert [row[0] for row in feed] == [row[0] for row in reference]
            assert np.allclose([row[1] for row in feed], [row[1] for row in reference], atol=1e-9)


def test_users_who_came_since_are_learnt_from_outside(
    managed: Managed, world: str, owner: psycopg.Connection
) -> None:
    user = uuid.uuid4()
    owner.execute("insert into feed.users (user_uid) values (%s)", (user,))
    owner.execute(
        """
        insert into feed.user_interactions (user_uid, listing_id, type)
        select %s, s.listing_id, 'save'
        from (
            select l.listing_id from feed.user_listing_states as t
            inner join feed.listings as l using (listing_no)
            group by l.listing_id order by count(*) desc limit 5
        ) as s
        """,
        (user,),
    )
    known = """
        select exists (select from ml.user_vectors as v where v.user_no = u.user_no),
            exists (select from ml.user_neighbors as n where n.user_no = u.user_no)
        from feed.users as u where u.user_uid = %s
    """
    assert owner.execute(known, (user,)).fetchone() == (False, False)
    done = managed.page("update")
    assert "1 users updated" in done.stdout
    assert owner.execute(known, (user,)).fetchone() == (True, True)


def test_the_doctor_says_what_is_absent(managed: Managed, world: str) -> None:
    done = managed.bin(
        "pgfeed", "--libpq", "doctor", "--json", PGFEED_REST_URL=managed.instance.rest_url
    )
    found = {line["check"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert all(line["is_ok"] for line in found.values())
    assert "absent: plpython3u, pg_cron" in found["extensions"]["finding"]
    assert "another scheduler" in found["schedule"]["finding"]
    assert "digests" in found["blocks"]["finding"]


def test_the_doctor_sees_a_wrong_digest(managed: Managed, owner: psycopg.Connection) -> None:
    owner.execute(
        "update feed.listing_digests set is_open = not is_open"
        " where listing_no = (select min(listing_no) from feed.listing_digests)"
    )
    done = managed.page("doctor", check=False)
    assert done.returncode == 1 and "1 digests are not what the listings say" in done.stdout
    owner.execute("set role feed_owner")
    owner.execute("select feed.begin_engine()")
    owner.execute("reset role")
    assert managed.page("doctor", check=False).stdout.count("WRONG") == 0


def test_nobody_else_may_what_the_engine_does(owner: psycopg.Connection) -> None:
    rights = owner.execute(
        """
        select r.role, o.name
        from unnest(array['anon', 'authenticated', 'service_role', 'feed_analyst']) as r (role)
        cross join unnest(array[
            'feed.best_listings(uuid,text,timestamptz,integer,uuid[])',
            'feed.fold_changes(integer[])', 'feed.begin_engine()',
            'feed.write_listing_digests(integer[])', 'ml.project_listings(integer,integer[])'
        ]) as o (name)
        where has_function_privilege(r.role, o.name, 'execute')
        union all
        select r.role, o.name
        from unnest(array['anon', 'authenticated', 'service_role', 'feed_analyst']) as r (role)
        cross join unnest(array['feed.listing_digests', 'ops.engine_in_force']) as o (name)
        where has_table_privilege(r.role, o.name, 'select, insert, update, delete')
        """
    ).fetchall()
    assert rights == []


def test_with_pg_cron_the_jobs_are_the_deployers(
    managed: Managed, owner: psycopg.Connection
) -> None:
    """Where the service has switched it on for them."""
    with managed.service() as service:
        service.execute(COMMANDS["cron"])
    done = managed.bin("deploy", "--libpq")
    assert "WARNING" not in done.stderr
    jobs = owner.execute("select jobname, username from cron.job order by 1").fetchall()
    names = ("keep_house", "refresh_analytics", "refresh_engagement", "refresh_trending")
    assert jobs == [(f"pgfeed {name}", DEPLOYER) for name in names]
    owner.execute("select cron.unschedule(jobid) from cron.job")


# ------------------------------------------------------------------ from one engine to the other


def test_engines_may_be_changed_with_data_there(instance: Instance, template: str) -> None:
    """Back and forth, and what changed meanwhile is known to each."""
    with instance.scratch_database(template) as name:
        with instance.connect(name) as session:
            session.execute(STATISTICS)
            world = World(session, 77)
            world.make(30, has_vectors=True, has_neighbors=True)
            world.fold()
            world.compare()
        chosen = random.Random(5)
        for engine in ("sql", "python", "sql"):
            instance.apply_code(name, engine)
            with instance.connect(name) as session:
                assert session.execute(
                    "select feed_engine from ops.engine_in_force"
                ).fetchone() == (engine,)
                world.session, world.engine = session, engine
                for change in chosen.sample(CHANGES, 6):
                    world.compare()
                    change(world)
                world.compare()
