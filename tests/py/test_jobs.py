"""The jobs: by pg_cron's own tick, one at a time, killed, and what they compute."""

import math
import random
import subprocess
import sys
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from harness import REPOSITORY, Instance, until

PACKAGES = REPOSITORY / "python"
ENABLED = (
    "keep_house",
    "refresh_analytics",
    "refresh_engagement",
    "refresh_trending",
    "train_models",
    "update_models",
)
JOBS = (*ENABLED, "fit_profile")

# What keeps a job from going on, in its first step after the run is entered.
OBSTACLES = {
    "fit_profile": "lock table ml.fit_parameters in access exclusive mode",
    "keep_house": "select pg_advisory_xact_lock(hashtext('feed.ensure_partitions'))",
    "refresh_analytics": "lock table analytics.stale_days in access exclusive mode",
    "refresh_engagement": "lock table feed.engagement_metrics in access exclusive mode",
    "refresh_trending": "lock table feed.engagement_metrics in access exclusive mode",
    "train_models": "lock table feed.user_listing_states in access exclusive mode",
    "update_models": "lock table ml.current_model in access exclusive mode",
}

WEIGHTS = {"apply": 10, "save": 5, "share": 3, "click": 2, "view": 1, "dismiss": -5}
ONCE_EVER = ("apply", "save", "dismiss")


def value(connection: psycopg.Connection, query: str, *parameters: object) -> object:
    (result,) = connection.execute(query, parameters).fetchone()
    return result


def states(connection: psycopg.Connection, job: str) -> list[str]:
    query = "select state from jobs.run_states where job = %s order by run_id"
    return [state for (state,) in connection.execute(query, (job,))]


@contextmanager
def started(instance: Instance, database: str, job: str) -> Iterator[subprocess.Popen]:
    """A job in a session of its own that ends with it, as under pg_cron."""
    process = subprocess.Popen(
        ["psql", "-Xq", "-c", f"call jobs.{job}()"],
        env=instance.environment | {"PGDATABASE": database, "PGUSER": "feed_worker"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def obstacle(instance: Instance, database: str, job: str) -> Iterator[None]:
    """Whoever needs what the job needs first waits until the end of this block."""
    with instance.connect(database, autocommit=False) as connection:
        connection.execute(OBSTACLES[job])
        yield
        connection.rollback()


def waiting_pid(connection: psycopg.Connection, job: str) -> int:
    """The backend of a run that has been entered and now waits for a lock."""
    query = """
        select r.backend_pid from jobs.runs as r
        inner join pg_stat_activity as a on a.pid = r.backend_pid
        where r.job = %s and r.finished_at is null and a.wait_event_type = 'Lock'
    """
    found = until(lambda: connection.execute(query, (job,)).fetchone(), f"{job} waits")
    return found[0]


# ---------------------------------------------------------------------- pg_cron


@pytest.mark.slow
@pytest.mark.usefixtures("quiet")
def test_pg_cron_runs_the_products_own_jobs(instance: Instance, db: psycopg.Connection) -> None:
    """A real tick: waits for the next full minute."""
    schedules = db.execute("select job, schedule from jobs.schedules where is_enabled").fetchall()
    assert sorted(job for job, _ in schedules) == sorted(ENABLED)
    stale = value(db, "select coalesce(max(runid), 0) + 1000000 from cron.job_run_details")
    db.execute(
        """
        insert into cron.job_run_details (runid, username, start_time)
        values (%s, 'feed_worker', now() - interval '8 days')
        """,
        (stale,),
    )
    last_run = value(db, "select coalesce(max(run_id), 0) from jobs.runs")
    last_cron = value(
        db, "select coalesce(max(runid), 0) from cron.job_run_details where runid <> %s", stale
    )
    query = """
        select r.job, r.rows is not null, d.username, d.status, j.jobname
        from jobs.runs as r
        inner join cron.job_run_details as d on d.job_pid = r.backend_pid and d.runid <> %s
        inner join cron.job as j on j.jobid = d.jobid
        where r.run_id > %s and d.runid > %s and r.finished_at is not null
            and d.end_time is not null
        order by r.job
    """
    try:
        db.execute("update jobs.schedules set schedule = '* * * * *'")
        db.execute("select jobs.schedule_all()")

        def all_done() -> list[tuple] | None:
            rows = db.execute(query, (stale, last_run, last_cron)).fetchall()
            return rows if {row[0] for row in rows} == set(ENABLED) else None

        rows = until(all_done, "every job has run", seconds=150)
    finally:
        for job, schedule in schedules:
            db.execute("update jobs.schedules set schedule = %s where job = %s", (schedule, job))
        db.execute("select jobs.schedule_all()")
        db.execute("update cron.job set active = false")
    for job, has_rows, username, status, jobname in rows:
        assert has_rows, job
        assert (username, status, jobname) == ("feed_worker", "succeeded", f"pgfeed {job}")
    assert not value(db, "select count(*) from cron.job_run_details where runid = %s", stale)


@pytest.mark.usefixtures("quiet")
def test_the_schedules_are_the_promised_ones(db: psycopg.Connection) -> None:
    planned = dict(
        db.execute(
            "select jobname, schedule from cron.job where username = 'feed_worker'"
        ).fetchall()
    )
    assert planned["pgfeed train_models"] == "0 2 * * *"
    assert planned["pgfeed update_models"] == "*/15 * * * *"
    assert planned["pgfeed refresh_trending"] == "*/15 * * * *"
    assert planned["pgfeed refresh_engagement"].endswith(" * * * *")
    assert planned["pgfeed keep_house"].endswith(" * * *")
    assert planned["pgfeed refresh_analytics"].endswith(" * * * *")
    assert len(planned) == len(ENABLED)


@pytest.mark.usefixtures("quiet")
def test_a_job_is_off_until_it_is_switched_on(instance: Instance, db: psycopg.Connection) -> None:
    planned = "select count(*) from cron.job where jobname = 'pgfeed fit_profile'"
    switch = "update jobs.schedules set is_enabled = %s where job = 'fit_profile'"
    assert value(db, planned) == 0
    try:
        db.execute(switch, (True,))
        db.execute("select jobs.schedule_all()")
        assert value(db, planned) == 1
        # A deployment leaves the operator's choice.
        db.execute(
            """
            update ops.source_files set sha256 = repeat('0', 64)
            where path = 'jobs/fit_profile.sql'
            """
        )
        instance.bin("apply-code")
        assert value(db, "select is_enabled from jobs.schedules where job = 'fit_profile'")
    finally:
        db.execute(switch, (False,))
        db.execute("select jobs.schedule_all()")
        db.execute("update cron.job set active = false")
    assert value(db, planned) == 0


# ---------------------------------------------------------------------- one at a time, killed


@pytest.mark.parametrize("job", JOBS)
def test_a_second_run_gives_way(
    instance: Instance, scratch: psycopg.Connection, scratch_name: str, job: str
) -> None:
    notices: list[str] = []
    scratch.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    with obstacle(instance, scratch_name, job), started(instance, scratch_name, job) as first:
        waiting_pid(scratch, job)
        assert states(scratch, job) == ["running"]
        scratch.execute(f"call jobs.{job}()")
        assert notices == [f"job {job} is already running"]
        assert states(scratch, job) == ["running"]
        for other in set(JOBS) - {job}:
            assert states(scratch, other) == []
    # The obstacle is gone; a run that was not disturbed would have gone on.
    first.wait()
    until(lambda: states(scratch, job) in (["failed"], ["finished"]), "the first run ended")
    scratch.execute(f"call jobs.{job}()")
    assert states(scratch, job)[-1] == "finished"


def test_make_train_waits_for_the_run_that_is_under_way(
    instance: Instance, scratch: psycopg.Connection, scratch_name: str
) -> None:
    """pg_cron's hour may strike at any moment."""
    job = "refresh_engagement"
    with obstacle(instance, scratch_name, job), started(instance, scratch_name, job):
        waiting_pid(scratch, job)
        ours = subprocess.Popen(
            [sys.executable, "-m", "pgfeed", "train"],
            env=instance.environment | {"PGDATABASE": scratch_name, "PYTHONPATH": str(PACKAGES)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        told: list[str] = []
        for line in ours.stderr:
            told.append(line)
            if "waiting for the refresh_engagement that is under way" in line:
                break
        else:
            pytest.fail("".join(told))
        assert states(scratch, job) == ["running"]
    output, errors = ours.communicate()
    assert ours.returncode == 0, errors
    assert "refresh_trending wrote" in output
    assert states(scratch, job)[-1] == "finished"


@pytest.mark.parametrize("job", JOBS)
def test_a_run_goes_on_when_its_obstacle_is_gone(
    instance: Instance, scratch: psycopg.Connection, scratch_name: str, job: str
) -> None:
    with started(instance, scratch_name, job) as process:
        with obstacle(instance, scratch_name, job):
            pass
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
    assert states(scratch, job) == ["finished"]
    finished = "select finished_at >= started_at and rows >= 0 from jobs.runs"
    assert value(scratch, finished)


@pytest.mark.parametrize("kill", ["pg_cancel_backend", "pg_terminate_backend"])
@pytest.mark.parametrize("job", JOBS)
def test_a_killed_run_has_failed_and_the_next_one_works(
    instance: Instance, scratch: psycopg.Connection, scratch_name: str, job: str, kill: str
) -> None:
    listing = value(scratch, "insert into feed.listings (title) values ('a') returning listing_id")
    scratch.execute("insert into feed.engagement_metrics (listing_id) values (%s)", (listing,))
    with obstacle(instance, scratch_name, job), started(instance, scratch_name, job) as process:
        pid = waiting_pid(scratch, job)
        assert value(scratch, f"select {kill}(%s)", pid)
        # The obstacle is still there: the run ends by the kill alone.
        until(lambda: process.poll() is not None, "the job ended")
        until(lambda: states(scratch, job) == ["failed"], "the run has failed")
    assert value(scratch, "select is_stale from feed.engagement_metrics")
    assert value(scratch, "select model_id from ml.current_model") is None
    scratch.execute(f"call jobs.{job}()")
    assert states(scratch, job) == ["failed", "finished"]


def test_a_run_cancelled_in_a_session_that_stays_keeps_nobody_out_after_the_next(
    instance: Instance, scratch: psycopg.Connection, scratch_name: str
) -> None:
    job = "refresh_trending"
    with instance.connect(scratch_name, "feed_worker") as session:
        with obstacle(instance, scratch_name, job):
            session.execute("set lock_timeout = '100 ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                session.execute(f"call jobs.{job}()")
        session.execute(f"call jobs.{job}()")
        scratch.execute(f"call jobs.{job}()")
        assert states(scratch, job) == ["failed", "finished", "finished"]


def test_readers_do_not_wait_for_a_refresh(
    instance: Instance, scratch: psycopg.Connection, scratch_name: str
) -> None:
    job = "refresh_trending"
    scratch.execute("set lock_timeout = '5 s'")
    with obstacle(instance, scratch_name, job), started(instance, scratch_name, job):
        waiting_pid(scratch, job)
        assert value(scratch, "select count(*) from api.trending") == 0


def test_readers_and_other_writers_do_not_wait_for_the_engagement_job(
    instance: Instance, scratch: psycopg.Connection, scratch_name: str
) -> None:
    user = uuid.uuid4()
    scratch.execute("insert into feed.users (user_uid) values (%s)", (user,))
    rows = scratch.execute(
        "insert into feed.listings (title) values ('a'), ('b') returning listing_id"
    ).fetchall()
    first, second = sorted(listing for (listing,) in rows)
    record = "insert into feed.user_interactions (user_uid, listing_id, type) values (%s, %s, %s)"
    scratch.execute(record, (user, first, "save"))
    scratch.execute("set lock_timeout = '5 s'")
    with instance.connect(scratch_name, autocommit=False) as writer:
        # Holds the one stale counter: the job has to wait for this writer.
        writer.execute(record, (user, first, "apply"))
        with started(instance, scratch_name, "refresh_engagement") as process:
            waiting_pid(scratch, "refresh_engagement")
            assert value(scratch, "select count(*) from feed.score_listings(%s)", user) == 1
            scratch.execute(record, (user, second, "save"))
            writer.commit()
            output, _ = process.communicate(timeout=60)
            assert process.returncode == 0, output
    # What was committed while the job waited is in the score.
    scores = dict(
        scratch.execute("select listing_id, engagement_score from feed.engagement_metrics")
    )
    assert math.isclose(scores[first], math.log1p(15) / math.log1p(100))


# ---------------------------------------------------------------------- what they compute


def make_history(connection: psycopg.Connection, seed: int) -> None:
    """Users, listings (some of users), and 60 days of interactions, several in one hour."""
    chance = random.Random(seed)
    users = [uuid.UUID(int=chance.getrandbits(128)) for _ in range(12)]
    listings = [uuid.UUID(int=chance.getrandbits(128)) for _ in range(30)]
    now = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("select feed.ensure_partitions(now() - interval '3 months', now())")
        cursor.executemany("insert into feed.users (user_uid) values (%s)", [(u,) for u in users])
        cursor.executemany(
            "insert into feed.posters (poster_uid) values (%s)", [(u,) for u in users[:3]]
        )
        cursor.executemany(
            """
            insert into feed.listings (listing_id, poster_uid, title, status)
            values (%s, %s, 'x', %s)
            """,
            [
                (listing, chance.choice([None, *users[:3]]), chance.choice(["open", "closed"]))
                for listing in listings
            ],
        )
        rows = []
        for _ in range(900):
            # Not near the edge of the seven days, where a second decides.
            days = chance.choice([chance.uniform(0.01, 6.9), chance.uniform(7.1, 60)])
            at = now - timedelta(days=days)
            triple = (chance.choice(users), chance.choice(listings), chance.choice([*WEIGHTS]))
            rows += [(*triple, at - timedelta(minutes=m)) for m in range(chance.randint(1, 3))]
        cursor.executemany(
            """
            insert into feed.user_interactions (user_uid, listing_id, type, created_at)
            values (%s, %s, %s, %s)
            """,
            rows,
        )


def counted(connection: psycopg.Connection) -> dict[uuid.UUID, list[tuple[str, datetime]]]:
    """The interactions that count, by listing, from the log alone."""
    posters = dict(connection.execute("select listing_id, poster_uid from feed.listings"))
    first: dict[tuple, datetime] = {}
    log = connection.execute(
        "select user_uid, listing_id, type::text, created_at from feed.user_interactions"
    )
    for user, listing, kind, at in log:
        if posters[listing] == user:
            continue
        at = at.astimezone(UTC)
        hour = None if kind in ONCE_EVER else at.replace(minute=0, second=0, microsecond=0)
        key = (user, listing, kind, hour)
        first[key] = min(at, first.get(key, at))
    by_listing = defaultdict(list)
    for (_, listing, kind, _), at in first.items():
        by_listing[listing].append((kind, at))
    return by_listing


def test_scores_follow_the_formula(scratch: psycopg.Connection) -> None:
    make_history(scratch, seed=7)
    scratch.execute("call jobs.refresh_engagement()")
    as_of = value(scratch, "select started_at from jobs.runs").astimezone(UTC)
    expected = counted(scratch)
    raw = {
        listing: sum(WEIGHTS[kind] for kind, _ in events) for listing, events in expected.items()
    }
    openings = [
        raw.get(listing, 0)
        for (listing,) in scratch.execute(
            "select listing_id from feed.listings where status = 'open'"
        )
    ]
    # percentile_disc(0.999) of fewer than a thousand rows is the largest.
    wanted = max(100, *openings)
    ceiling = 100 if 80 <= wanted <= 125 else wanted
    assert value(scratch, "select ceiling from feed.engagement_scale") == ceiling

    stored = scratch.execute(
        "select listing_id, engagement_score, trending_score, is_stale from feed.engagement_metrics"
    ).fetchall()
    assert {row[0] for row in stored} == set(expected)
    assert any(trending > 0 for _, _, trending, _ in stored)
    for listing, engagement, trending, is_stale in stored:
        score = min(1.0, math.log1p(max(raw[listing], 0)) / math.log1p(ceiling))
        decayed = sum(
            WEIGHTS[kind] * 0.5 ** ((as_of - at) / timedelta(hours=24))
            for kind, at in expected[listing]
            if as_of - timedelta(days=7) < at <= as_of
        )
        assert math.isclose(engagement, score, abs_tol=1e-12)
        # The job's clock is read a moment before the run is entered.
        assert math.isclose(trending, decayed, abs_tol=1e-3), listing
        assert not is_stale


@pytest.mark.parametrize(
    ("ceiling", "raw", "becomes"),
    [
        (200, 200, 200),
        (160, 200, 160),  # 1.25 times: still within
        (159, 200, 200),
        (250, 200, 250),  # 0.8 times: still within
        (251, 200, 200),
        (1000, 7, 100),  # never below 100
        (100, 7, 100),
    ],
)
def test_the_ceiling_is_replaced_only_when_far_off(
    scratch: psycopg.Connection, ceiling: float, raw: int, becomes: float
) -> None:
    listings = scratch.execute(
        """
        insert into feed.listings (title, status) values ('a', 'open'), ('b', 'open'),
            ('closed: does not count', 'closed')
        returning listing_id
        """
    ).fetchall()
    for (listing,), views in zip(listings, (raw, 5, 10**6), strict=True):
        scratch.execute(
            """
            insert into feed.engagement_metrics (listing_id, view_count, is_stale)
            values (%s, %s, false)
            """,
            (listing, views),
        )
    scratch.execute("update feed.engagement_scale set ceiling = %s", (ceiling,))
    scratch.execute("call jobs.refresh_engagement()")
    assert value(scratch, "select ceiling from feed.engagement_scale") == becomes
    (score,) = scratch.execute(
        "select engagement_score from feed.engagement_metrics where view_count = 5"
    ).fetchone()
    # Nothing was stale: a score was only computed if the ceiling moved.
    assert math.isclose(score, math.log1p(5) / math.log1p(becomes) if becomes != ceiling else 0)


def test_an_hour_touches_only_what_changed(scratch: psycopg.Connection) -> None:
    make_history(scratch, seed=11)
    scratch.execute(
        "delete from feed.user_interactions where created_at > now() - interval '8 days'"
    )
    scratch.execute("call jobs.refresh_engagement()")
    query = """
        select listing_id, ctid::text, xmin::text from feed.engagement_metrics order by listing_id
    """
    before = scratch.execute(query).fetchall()
    assert len(before) > 20
    scratch.execute("call jobs.refresh_engagement()")
    assert scratch.execute(query).fetchall() == before
    assert value(scratch, "select rows from jobs.runs order by run_id desc limit 1") == 0
    changed, user = scratch.execute(
        """
        select l.listing_id, u.user_uid from feed.engagement_metrics as m
        inner join feed.listings as l using (listing_id) cross join feed.users as u
        where l.poster_uid is distinct from u.user_uid limit 1
        """
    ).fetchone()
    scratch.execute(
        "insert into feed.user_interactions (user_uid, listing_id, type) values (%s, %s, 'click')",
        (user, changed),
    )
    scratch.execute("call jobs.refresh_engagement()")
    after = scratch.execute(query).fetchall()
    assert {row[0] for row in set(after) - set(before)} == {changed}


def test_what_no_longer_trends_leaves(scratch: psycopg.Connection) -> None:
    make_history(scratch, seed=3)
    scratch.execute("call jobs.refresh_engagement()")
    scratch.execute("call jobs.refresh_trending()")
    assert value(scratch, "select count(*) from feed.trending_listings") > 0
    scratch.execute(
        "delete from feed.user_interactions where created_at > now() - interval '7 days'"
    )
    scratch.execute("call jobs.refresh_engagement()")
    scratch.execute("call jobs.refresh_trending()")
    assert value(scratch, "select count(*) from feed.trending_listings") == 0
    assert (
        value(scratch, "select count(*) from feed.engagement_metrics where trending_score <> 0")
        == 0
    )


def test_keep_house_makes_partitions_and_purges_old_runs(scratch: psycopg.Connection) -> None:
    months = """
        select c.relname from pg_inherits as i inner join pg_class as c on c.oid = i.inhrelid
        where i.inhparent in ('feed.user_interactions'::regclass, 'feed.feed_impressions'::regclass)
        order by 1
    """
    scratch.execute(
        """
        insert into jobs.runs (job, started_at, finished_at)
        select 'old', now() - age, now() - age
        from unnest(array[interval '91 days', interval '89 days']) as age
        """
    )
    scratch.execute(
        """
        select ops.count_requests(
            array[now() - interval '91 days', now() - interval '89 days'], array['feed', 'feed'],
            array[2, 2], array[7, 7], array[1, 1]
        )
        """
    )
    made = scratch.execute(months).fetchall()
    for (partition,) in made:
        scratch.execute(f"drop table feed.{partition}")
    with pytest.raises(psycopg.errors.CheckViolation):
        scratch.execute(
            """
            with u as (insert into feed.users values (gen_random_uuid()) returning user_uid)
            insert into feed.user_interactions (user_uid, listing_id, type)
            select user_uid, gen_random_uuid(), 'view' from u
            """
        )
    scratch.execute("call jobs.keep_house()")
    now = datetime.now(UTC)
    first = now.year * 12 + now.month - 1
    wanted = [
        f"{parent}_{month // 12}_{month % 12 + 1:02}"
        for parent in ("feed_impressions", "user_interactions")
        for month in range(first - 1, first + 4)
    ]
    assert [name for (name,) in scratch.execute(months)] == wanted
    assert value(scratch, "select count(*) from jobs.runs where job = 'old'") == 1
    details = value(scratch, "select details from jobs.runs where job = 'keep_house'")
    assert details == {
        "partitions_made": 10,
        "runs_purged": 1,
        "request_counts_purged": 1,
        "partitions_dropped": 0,
    }
    assert value(scratch, "select count(*) from ops.request_counts") == 1
