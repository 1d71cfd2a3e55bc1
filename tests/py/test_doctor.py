"""The doctor: for each check something is really broken, found, and well again by the remedy.

That nothing is wrong with a fresh instance, and what the command prints, is in test_setup.py.
"""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from harness import REPOSITORY, Instance, run
from pgfeed import doctor
from pgfeed.doctor import CHECKS, Patient, run_check


@pytest.fixture
def patient(instance: Instance, scratch: psycopg.Connection) -> Patient:
    """The shared instance, with a database that may be broken."""
    return Patient(
        repository=REPOSITORY,
        home=instance.home,
        secret_file=instance.home / "jwt.secret",
        rest_url=instance.rest_url,
        gateway_url=instance.url,
        connection=scratch,
    )


def assert_well(patient: Patient, name: str) -> str:
    result = run_check(patient, name)
    assert result.is_ok and result.remedy is None, result
    return result.finding


def assert_wrong(patient: Patient, name: str, finding: str, remedy: str) -> None:
    result = run_check(patient, name)
    assert not result.is_ok, result
    assert finding in result.finding, result
    assert remedy in (result.remedy or ""), result
    assert "\n" not in result.finding + result.remedy


def test_every_check_is_broken_here() -> None:
    text = Path(__file__).read_text().replace("\n", "")
    broken = set(re.findall(r'assert_wrong\(.*?, +"(\w+)"', text))
    assert set(CHECKS) - broken == set()


# ---------------------------------------------------------------- servers


def test_postgresql(instance: Instance, patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert assert_well(patient, "postgresql").startswith("PostgreSQL 15.")
    with instance.connect() as connection:
        try:
            connection.execute("alter system set max_connections = 101")
            connection.execute("select pg_reload_conf()")
            time.sleep(0.3)
            assert_wrong(patient, "postgresql", "restart: max_connections", "make down && make up")
        finally:
            connection.execute("alter system reset max_connections")
            connection.execute("select pg_reload_conf()")
    monkeypatch.setattr(doctor, "POSTGRESQL_MAJOR", 16)
    assert_wrong(patient, "postgresql", "not 16", "version 16")


def test_postgrest(patient: Patient) -> None:
    assert assert_well(patient, "postgrest").startswith("postgrest/12.")
    gone = replace(patient, rest_url="http://127.0.0.1:9")
    assert_wrong(gone, "postgrest", "does not answer", "make up")
    other = replace(patient, rest_url=patient.gateway_url)
    assert_wrong(other, "postgrest", "is nginx", "PostgREST 12")
    never = replace(patient, rest_url="")
    assert_wrong(never, "postgrest", "never started", "make up")


def test_gateway(patient: Patient) -> None:
    assert assert_well(patient, "gateway") == patient.gateway_url
    gone = replace(patient, gateway_url="http://127.0.0.1:9")
    assert_wrong(gone, "gateway", "does not answer", "make up")


def test_cache(patient: Patient, tmp_path: Path) -> None:
    assert assert_well(patient, "cache") == "off"
    place = tmp_path / "redis.sock"
    ours = replace(patient, redis=f"unix:{place}")
    assert_wrong(ours, "cache", "does not answer", "make up")
    elsewhere = replace(patient, redis="127.0.0.1:9")
    assert_wrong(elsewhere, "cache", "does not answer", "start it there")

    command = ["redis-server", "--port", "0", "--unixsocket", str(place), "--save", ""]
    command += ["--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as redis:
        try:
            while not place.exists():
                time.sleep(0.01)
            ask = ["redis-cli", "-s", str(place)]
            assert_wrong(ours, "cache", "fills up", "maxmemory-policy allkeys-lru")
            run(*ask, "config", "set", "maxmemory", "64mb")
            assert_wrong(ours, "cache", "fills up", "maxmemory-policy allkeys-lru")
            run(*ask, "config", "set", "maxmemory-policy", "allkeys-lru")
            assert assert_well(ours, "cache").startswith("not asked yet, ")
            run(*ask, "hset", "pgfeed:lookups", "hits", "3", "misses", "1")
            assert assert_well(ours, "cache").startswith("75% of 4 were hits, ")

            run(*ask, "config", "set", "save", "3600 1")
            assert_wrong(ours, "cache", "brings old answers back", "appendonly no")
            run(*ask, "config", "set", "save", "")
            run(*ask, "config", "set", "appendonly", "yes")
            assert_wrong(ours, "cache", "brings old answers back", "appendonly no")
            run(*ask, "config", "set", "appendonly", "no")
            run(*ask, "replicaof", "127.0.0.1", "9")
            assert_wrong(ours, "cache", "is a replica", "name its primary")
            run(*ask, "replicaof", "no", "one")

            run(*ask, "config", "set", "requirepass", "secret")
            assert_wrong(ours, "cache", "NOAUTH", "make up")
            password = tmp_path / "password"
            password.write_text("secret\n")
            assert_well(replace(ours, redis_password_file=password), "cache")
        finally:
            redis.kill()


def test_secret(patient: Patient, tmp_path: Path) -> None:
    assert_well(patient, "secret")
    copy = tmp_path / "secret"
    shutil.copy(patient.secret_file, copy)
    copy.chmod(0o640)
    assert_wrong(replace(patient, secret_file=copy), "secret", "others can read", "chmod 600")
    copy.unlink()
    assert_wrong(replace(patient, secret_file=copy), "secret", "there is no", "make up")
    assert "not looked for" in assert_well(replace(patient, secret_file=None), "secret")


def test_disk(patient: Patient) -> None:
    assert_well(patient, "disk")
    # The kernel's own file system has no room for anybody.
    assert_wrong(replace(patient, home=Path("/proc")), "disk", "0 MB are free", "make room")


def test_replication(patient: Patient) -> None:
    """Slots here; standbys and the archive where there are some: test_backup.py."""
    assert_well(patient, "replication")
    connection = patient.connection
    connection.execute("select pg_create_physical_replication_slot('left_behind', true)")
    try:
        assert_wrong(
            patient, "replication", "left_behind", "pg_drop_replication_slot('left_behind')"
        )
    finally:
        connection.execute("select pg_drop_replication_slot('left_behind')")
    assert_well(patient, "replication")


# ---------------------------------------------------------------- what is installed


def test_extensions(patient: Patient) -> None:
    assert_well(patient, "extensions")
    patient.connection.execute("alter extension pgcrypto set schema public")
    assert_wrong(patient, "extensions", "pgcrypto should be in ext, is public", "make up")


def test_python(patient: Patient) -> None:
    assert_well(patient, "python")
    patient.connection.execute("drop extension plpython3u cascade")
    assert_wrong(patient, "python", 'language "plpython3u" does not exist', "make up")


def test_ledger(patient: Patient) -> None:
    assert_well(patient, "ledger")
    patient.connection.execute(
        "update sqitch.changes set change = 'unheard_of' where change = 'trending'"
    )
    assert_wrong(patient, "ledger", "not deployed: trending", "make up")
    patient.connection.execute(
        "update sqitch.changes set change = 'trending' where change = 'unheard_of'"
    )
    patient.connection.execute(
        "update sqitch.changes set change = change || '_2' where change = 'ops'"
    )
    assert_wrong(patient, "ledger", "not deployed: ops", "make up")


def test_code(instance: Instance, patient: Patient, scratch_name: str) -> None:
    assert_well(patient, "code")
    patient.connection.execute("drop view analytics.job_health")
    patient.connection.execute("drop trigger t50_count on feed.user_interactions")
    assert_wrong(
        patient, "code", "trigger t50_count on feed.user_interactions, view", "bin/apply-code"
    )
    instance.bin("apply-code", "--dsn", instance.dsn(scratch_name))
    assert_well(patient, "code")
    patient.connection.execute("delete from ops.source_files where path like 'jobs/keep%'")
    assert_wrong(patient, "code", "other code: jobs/keep_house.sql", "bin/apply-code")


# ---------------------------------------------------------------- data


@pytest.fixture
def damaged_database(instance: Instance, scratch_name: str) -> Iterator[str]:
    """A copy whose files the server has not read yet, one of them damaged."""
    name = f"{scratch_name}_damaged"
    with instance.connect("postgres") as connection:
        connection.execute(f'create database "{name}_source"')
        with instance.connect(f"{name}_source") as source:
            source.execute("create table public.pages as select generate_series(1, 1000) as n")
            (file,) = source.execute("select pg_relation_filepath('public.pages')").fetchone()
        connection.execute(f'create database "{name}" template "{name}_source" strategy file_copy')
        connection.execute(f'drop database "{name}_source"')
        (oid,) = connection.execute(
            "select oid from pg_database where datname = %s", (name,)
        ).fetchone()
        path = instance.home / "data/base" / str(oid) / Path(file).name
        with path.open("r+b") as pages:
            pages.seek(4000)
            pages.write(b"damage")
        yield name
        connection.execute(f'drop database "{name}" with (force)')


def test_checksums(instance: Instance, patient: Patient, damaged_database: str) -> None:
    assert_well(patient, "checksums")
    with instance.connect(damaged_database) as connection:
        with pytest.raises(psycopg.Error, match="invalid page"):
            connection.execute("select count(*) from public.pages")
        connection.execute("select pg_stat_force_next_flush()")
        connection.execute("select 1")
    assert_wrong(patient, "checksums", "pages failed their checksum", "backup")


def test_indexes(patient: Patient) -> None:
    assert_well(patient, "indexes")
    patient.connection.execute(
        "insert into feed.users (user_uid) select gen_random_uuid() from generate_series(1, 2)"
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        patient.connection.execute(
            "create unique index concurrently half_made on feed.users ((location is null))"
        )
    assert_wrong(
        patient, "indexes", "invalid: feed.half_made", "reindex index concurrently feed.half"
    )
    patient.connection.execute("drop index feed.half_made")
    assert_well(patient, "indexes")


def test_bloat(patient: Patient) -> None:
    assert_well(patient, "bloat")
    patient.connection.execute(
        "insert into feed.users (user_uid) select gen_random_uuid() from generate_series(1, 10100)"
    )
    patient.connection.execute("delete from feed.users")
    patient.connection.execute("select pg_stat_force_next_flush()")
    assert_wrong(patient, "bloat", "feed.users", "vacuum (analyze, verbose) feed.users")
    patient.connection.execute("vacuum (analyze) feed.users")
    assert_well(patient, "bloat")


def test_blocks(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = patient.connection
    # The deployment may be longer ago than changes may wait.
    connection.execute("call jobs.refresh_trending()")
    connection.execute("set search_path = tests, ext, pg_catalog")
    connection.execute("select listing('bicycle'), listing('tandem')")
    assert "0 listings packed, 2 changes" in assert_well(patient, "blocks")

    with monkeypatch.context() as impatient:
        impatient.setattr(doctor, "MISSED_TURNS", 0)
        assert_wrong(patient, "blocks", "2 changes were not folded", "call jobs.refresh_trending()")
        impatient.setattr(doctor, "MOST_CHANGES", 1)
        assert_wrong(patient, "blocks", "2 changes are not folded", "call jobs.refresh_trending()")
    connection.execute("call jobs.refresh_trending()")
    assert "2 listings packed, 0 changes" in assert_well(patient, "blocks")

    connection.execute("delete from feed.listing_blocks")
    assert_wrong(patient, "blocks", "hold 0 listings, open are 2", "failures.md")
    # What that page says.
    connection.execute(
        "insert into feed.listing_changes (listing_no) select l.listing_no from feed.listings as l"
    )
    connection.execute("select feed.fold_changes()")
    assert_well(patient, "blocks")


def test_partitions(patient: Patient) -> None:
    assert_well(patient, "partitions")
    for (name,) in patient.connection.execute(
        """
        select inhrelid::regclass::text from pg_inherits
        where inhparent = 'feed.feed_impressions'::regclass
        """
    ).fetchall():
        patient.connection.execute(f"drop table {name}")
    remedy = "select feed.ensure_partitions(now(), now() + interval '3 months')"
    assert_wrong(patient, "partitions", "feed.feed_impressions", remedy)
    patient.connection.execute(remedy)
    assert_well(patient, "partitions")


# ---------------------------------------------------------------- jobs


def test_schedule(instance: Instance, patient: Patient) -> None:
    assert_wrong(patient, "schedule", "pg_cron is not in this database", "make up")
    with instance.connect() as connection:
        there = replace(patient, connection=connection)
        assert "jobs scheduled" in assert_well(there, "schedule")
        try:
            connection.execute("update cron.job set active = false where jobname ~ 'keep_house'")
            assert_wrong(there, "schedule", "not scheduled: keep_house", "make up")
        finally:
            connection.execute("select jobs.schedule_all()")
        assert assert_well(there, "schedule").endswith(" jobs scheduled, 1 off")
        try:
            connection.execute(
                """
                select cron.schedule_in_database(
                    'pgfeed fit_profile', '0 4 * * 0', 'select 1', current_database()
                )
                """
            )
            assert_wrong(there, "schedule", "off, and scheduled all the same: fit_", "make up")
        finally:
            connection.execute("select jobs.schedule_all()")
        assert_well(there, "schedule")


def test_jobs(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = patient.connection
    connection.execute(
        """
        insert into jobs.runs (job, started_at, finished_at)
        select s.job, now() - interval '1 second', now() from jobs.schedules as s
        """
    )
    assert assert_well(patient, "jobs") == "none late, none failed"
    # What is off is never late, and its failure is whoever's who called it.
    connection.execute("insert into jobs.runs (job, backend_pid) values ('fit_profile', 1)")
    assert assert_well(patient, "jobs") == "none late, none failed"
    connection.execute("update jobs.schedules set is_enabled = true where job = 'fit_profile'")
    assert_wrong(patient, "jobs", "the last run of fit_profile", "call jobs.fit_profile()")
    connection.execute("update jobs.schedules set is_enabled = false where job = 'fit_profile'")
    with monkeypatch.context() as impatient:
        impatient.setattr(doctor, "MISSED_TURNS", 0)
        assert_wrong(patient, "jobs", "is late: nothing for 0:00:", "call jobs.")
    connection.execute("update jobs.schedules set target = '1 ms' where job = 'keep_house'")
    assert_wrong(patient, "jobs", "keep_house took longer than its target", "jobs.runs")
    connection.execute("insert into jobs.runs (job, backend_pid) values ('train_models', 1)")
    connection.execute("delete from jobs.schedules where job = 'keep_house'")
    assert_wrong(patient, "jobs", "the last run of train_models", "call jobs.train_models()")


@pytest.mark.parametrize(
    ("schedule", "period"),
    [
        ("* * * * *", timedelta(minutes=1)),
        ("*/15 * * * *", timedelta(minutes=15)),
        ("20 * * * *", timedelta(hours=1)),
        ("30 3 * * *", timedelta(days=1)),
        ("0 4 * * 0", timedelta(days=7)),
    ],
)
def test_how_often_a_schedule_comes_round(schedule: str, period: timedelta) -> None:
    assert doctor.period_of(schedule) == period


def test_jobs_that_pg_cron_cannot_run(instance: Instance, patient: Patient) -> None:
    """They have left no run of their own."""
    with instance.connect() as connection:
        there = replace(patient, connection=connection)
        connection.execute(
            """
            insert into cron.job_run_details (jobid, runid, status, return_message, start_time)
            select j.jobid, 2000000, 'failed', e'connection failed\\nFATAL', now()
            from cron.job as j
            where j.jobname = 'pgfeed keep_house'
            """
        )
        try:
            assert doctor.refused_by_cron(there) == ("pgfeed keep_house", "connection failed")
        finally:
            connection.execute("delete from cron.job_run_details where runid = 2000000")
        assert doctor.refused_by_cron(there) is None


def test_access_log(patient: Patient, tmp_path: Path) -> None:
    assert assert_well(patient, "access_log") == "none is read yet"
    patient.connection.execute(
        """
        insert into ops.access_logs (source, path, inode, skipped_count)
        values ('web1', '/var/log/feed.log', 1, 3)
        """
    )
    assert assert_well(patient, "access_log") == "1 read, 3 lines skipped"
    patient.connection.execute("update ops.access_logs set checked_at = now() - interval '1 day'")
    with pytest.MonkeyPatch.context() as impatient:
        impatient.setattr(doctor, "LONGEST_UNREAD", timedelta(0))
        assert_wrong(
            patient,
            "access_log",
            "/var/log/feed.log of web1 was not read for",
            "delete from ops.access_logs where log_no = 1",
        )
    assert_wrong(replace(patient, home=tmp_path), "access_log", "nobody reads", "make up")


def test_model(patient: Patient) -> None:
    connection = patient.connection
    connection.execute("set search_path = tests, ext, pg_catalog")
    connection.execute("select tests.\"user\"('ann'), listing('bicycle')")
    assert assert_well(patient, "model") == "nothing to learn from yet"
    connection.execute("select interaction('ann', 'bicycle', 'view')")
    assert_wrong(patient, "model", "nothing was learnt", "make train")


def test_counting(patient: Patient) -> None:
    connection = patient.connection
    connection.execute("set search_path = tests, ext, pg_catalog")
    connection.execute("select tests.\"user\"('ann'), listing('bicycle')")
    connection.execute("select interaction('ann', 'bicycle', 'view')")
    assert_well(patient, "counting")
    connection.execute("update feed.engagement_metrics set view_count = 2")
    assert_wrong(patient, "counting", "feed.engagement_metrics", "ops.recount(repair => true)")
    connection.execute("select * from ops.recount(repair => true)")
    assert_well(patient, "counting")
