"""The doctor's checks: each says that all is well, or what is wrong and what to do about it.

A check is a function of a Patient that returns a finding, or raises Wrong. Checks that need the
database are left out when it does not answer: the first line then says why.
"""

import hashlib
import os
import re
import shutil
import stat
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import psycopg

REQUIRED_EXTENSIONS = {
    "postgis": "ext",
    "pgcrypto": "ext",
    "pg_stat_statements": "ext",
    "plpython3u": "pg_catalog",
}

# A job may miss this many turns before it counts as late.
MISSED_TURNS = 2

# Below this much free disk, PostgreSQL may stop soon.
LEAST_FREE_BYTES = 1 << 30


class Wrong(Exception):
    """What is wrong, and its remedy."""

    def __init__(self, finding: str, remedy: str) -> None:
        super().__init__(finding)
        self.finding = finding
        self.remedy = remedy


@dataclass(frozen=True)
class Result:
    """One line of the doctor's report."""

    check: str
    is_ok: bool
    finding: str
    remedy: str | None = None

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Patient:
    """An instance: its files, its addresses, and a session in its database."""

    repository: Path
    home: Path
    rest_url: str
    gateway_url: str
    connection: psycopg.Connection

    def value(self, query: str, **parameters: object) -> object:
        row = self.connection.execute(query, parameters).fetchone()
        return row[0] if row else None

    def column(self, query: str, **parameters: object) -> list:
        return [row[0] for row in self.connection.execute(query, parameters)]


def listed(names: list[str], most: int = 5) -> str:
    """The first names of a list, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


# ---------------------------------------------------------------- servers


def check_postgresql(patient: Patient) -> str:
    version = patient.value("show server_version")
    pending = patient.column("select name from pg_settings where pending_restart order by name")
    if pending:
        raise Wrong(f"settings wait for a restart: {listed(pending)}", "make down && make up")
    return f"PostgreSQL {version}"


def answers(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        raise Wrong(f"{url} does not answer ({error})", "make up") from None


def check_postgrest(patient: Patient) -> str:
    if not patient.rest_url or patient.rest_url.endswith(":0"):
        raise Wrong("PostgREST was never started", "make up")
    status = answers(patient.rest_url + "/")
    if status != 200:
        log = patient.home / "log/postgrest.log"
        raise Wrong(f"{patient.rest_url} answers {status}", f"look into {log}, then make up")
    return patient.rest_url


def check_gateway(patient: Patient) -> str:
    if not patient.gateway_url or patient.gateway_url.endswith(":0"):
        raise Wrong("the gateway was never started", "make up")
    status = answers(patient.gateway_url + "/healthz")
    if status != 200:
        log = patient.home / "log/nginx.log"
        raise Wrong(f"{patient.gateway_url} answers {status}", f"look into {log}, then make up")
    return patient.gateway_url


def check_secret(patient: Patient) -> str:
    path = patient.home / "jwt.secret"
    if not path.is_file():
        raise Wrong(f"there is no {path}", "make up")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Wrong(f"others can read {path}", f"chmod 600 {path}")
    return "readable by its owner only"


def check_disk(patient: Patient) -> str:
    free = shutil.disk_usage(patient.home).free
    if free < LEAST_FREE_BYTES:
        raise Wrong(f"{free >> 20} MB are free in {patient.home}", "make room on that disk")
    return f"{free >> 30} GB free"


# ---------------------------------------------------------------- what is installed


def check_extensions(patient: Patient) -> str:
    installed = dict(
        patient.connection.execute(
            "select e.extname, e.extnamespace::regnamespace::text from pg_extension as e"
        ).fetchall()
    )
    for name, schema in REQUIRED_EXTENSIONS.items():
        if installed.get(name) != schema:
            found = installed.get(name, "missing")
            raise Wrong(f"extension {name} should be in {schema}, is {found}", "make up")
    outdated = patient.column(
        """
        select name from pg_available_extensions
        where installed_version <> default_version order by name
        """
    )
    if outdated:
        remedy = f"alter extension {outdated[0]} update"
        raise Wrong(f"older than their programs: {listed(outdated)}", remedy)
    return f"{len(installed)} installed"


def check_python(patient: Patient) -> str:
    """Does the server's Python find our packages, and not Debian's?"""
    try:
        patient.connection.execute(
            """
            do language plpython3u $$
            import numpy
            import pgfeed

            # Debian's numpy lies in dist-packages, and is twenty times slower.
            if "site-packages" not in numpy.__file__:
                plpy.error("numpy comes from " + numpy.__file__)
            $$
            """
        )
    except psycopg.Error as error:
        problem = str(error.diag.message_primary)
        raise Wrong(f"the server's Python: {problem}", "make down && make up") from None
    return "the server's Python finds numpy and pgfeed"


def planned_changes(plan: str) -> list[str]:
    """The names of the changes in a sqitch.plan."""
    lines = (line.strip() for line in plan.splitlines())
    return [line.split()[0] for line in lines if line and line[0] not in "%#@"]


def check_ledger(patient: Patient) -> str:
    plan = (patient.repository / "sql/schema/sqitch.plan").read_text()
    planned = planned_changes(plan)
    deployed = patient.column("select change from sqitch.changes order by committed_at")
    missing = [name for name in planned if name not in deployed]
    if missing:
        raise Wrong(f"changes not deployed: {listed(missing)}", "make up")
    unknown = [name for name in deployed if name not in planned]
    if unknown:
        raise Wrong(
            f"the database has changes that this checkout does not know: {listed(unknown)}",
            "use the checkout that deployed them, or a newer one",
        )
    return f"{len(planned)} changes deployed"


def listed_files(manifest: str) -> list[str]:
    """The paths in a code.manifest."""
    lines = (line.strip() for line in manifest.splitlines())
    return [line.split()[0] for line in lines if line and not line.startswith("#")]


def check_code(patient: Patient) -> str:
    folder = patient.repository / "sql"
    paths = listed_files((folder / "code.manifest").read_text())
    applied = dict(
        patient.connection.execute("select s.path, s.sha256 from ops.source_files as s").fetchall()
    )
    absent = [path for path in paths if not (folder / path).is_file()]
    if absent:
        raise Wrong(f"in the manifest but not on disk: {listed(absent)}", "restore the files")
    different = [
        path
        for path in paths
        if applied.get(path) != hashlib.sha256((folder / path).read_bytes()).hexdigest()
    ]
    if different:
        raise Wrong(f"the database has other code: {listed(different)}", "bin/apply-code")
    gone = sorted(set(applied) - set(paths))
    if gone:
        raise Wrong(f"applied, but no longer in the manifest: {listed(gone)}", "bin/apply-code")
    return f"{len(paths)} files as in the manifest"


# ---------------------------------------------------------------- data and jobs


def check_checksums(patient: Patient) -> str:
    failures = patient.value(
        "select coalesce(sum(checksum_failures), 0)::int from pg_stat_database"
    )
    if failures:
        raise Wrong(f"{failures} pages failed their checksum", "restore from a backup")
    return "no page failed"


def check_partitions(patient: Patient) -> str:
    """The log's next month must be there before the month is."""
    without = patient.column(
        """
        select p.partrelid::regclass::text
        from pg_partitioned_table as p
        inner join pg_class as c on c.oid = p.partrelid
        where c.relnamespace = 'feed'::regnamespace
            and not exists (
                select
                from pg_inherits as i
                inner join pg_class as b on b.oid = i.inhrelid
                where i.inhparent = p.partrelid
                    and substring(
                        pg_get_expr(b.relpartbound, b.oid) from $$TO \\('([^']+)'\\)$$
                    )::timestamptz > now() + interval '1 month'
            )
        order by 1
        """
    )
    if without:
        remedy = "select feed.ensure_partitions(now(), now() + interval '3 months')"
        raise Wrong(f"no partition a month from now: {listed(without)}", remedy)
    return "partitions for a month and more"


def check_schedule(patient: Patient) -> str:
    if patient.value("select to_regclass('cron.job') is null"):
        raise Wrong("pg_cron is not in this database: no job runs by itself", "make up")
    missing = patient.column(
        """
        select s.job
        from jobs.schedules as s
        where not exists (
            select
            from cron.job as c
            where c.jobname = 'pgfeed ' || s.job
                and c.active
                and c.database = current_database()
                and c.schedule = s.schedule
                and c.command = s.command
        )
        order by s.job
        """
    )
    if missing:
        raise Wrong(f"not scheduled: {listed(missing)}", "make up")
    if not patient.value(
        "select exists (select from pg_stat_activity where backend_type = 'pg_cron launcher')"
    ):
        raise Wrong("pg_cron's launcher does not run", "make down && make up")
    return f"{patient.value('select count(*) from jobs.schedules')} jobs scheduled"


def period_of(schedule: str) -> timedelta:
    """How often five cron fields come round, for the kinds of schedule that we use."""
    minute, hour, *_ = schedule.split()
    if every := re.fullmatch(r"\*/(\d+)", minute):
        return timedelta(minutes=int(every[1]))
    if minute == "*":
        return timedelta(minutes=1)
    return timedelta(hours=1) if hour == "*" else timedelta(days=1)


def check_jobs(patient: Patient) -> str:
    latest = patient.connection.execute(
        """
        select
            s.job,
            s.schedule,
            r.state,
            r.started_at,
            r.duration > s.target as is_slow,
            clock_timestamp() - greatest(r.started_at, pg_postmaster_start_time()) as waited
        from jobs.schedules as s
        left join lateral (
            select t.state, t.started_at, t.duration
            from jobs.run_states as t
            where t.job = s.job
            order by t.started_at desc
            limit 1
        ) as r on true
        order by s.job
        """
    ).fetchall()
    for job, schedule, state, started_at, is_slow, waited in latest:
        again = f"call jobs.{job}()"
        if state == "failed":
            raise Wrong(f"the last run of {job}, at {started_at:%F %T}, failed", again)
        if state != "running" and waited > MISSED_TURNS * period_of(schedule):
            raise Wrong(f"{job} is late: nothing for {waited}", again)
        if is_slow:
            raise Wrong(f"the last run of {job} took longer than its target", "see jobs.runs")
    never = [job for job, _, state, *_ in latest if state is None]
    return f"none late, {len(never)} not run yet" if never else "none late, none failed"


def check_counting(patient: Patient) -> str:
    """Keys, states and counters, recounted from the log; the longest check by far."""
    with patient.connection.transaction():
        patient.connection.execute("set local statement_timeout = '30min'")
        wrong = patient.connection.execute(
            "select relation, count(*) from ops.recount() group by relation order by relation"
        ).fetchall()
    if wrong:
        found = ", ".join(f"{count} in {relation}" for relation, count in wrong)
        remedy = "select * from ops.recount(repair => true)"
        raise Wrong(f"rows that are not what the log says: {found}", remedy)
    return "keys, states and counters are a recount of the log"


def check_model(patient: Patient) -> str:
    trained = patient.value("select published_at from ml.current_model")
    if trained is None:
        if patient.value("select exists (select from feed.user_listing_states)"):
            raise Wrong("nothing was learnt from the interactions yet", "make train")
        return "nothing to learn from yet"
    return f"learnt at {trained:%F %T}"


CHECKS: dict[str, Callable[[Patient], str]] = {
    "postgresql": check_postgresql,
    "postgrest": check_postgrest,
    "gateway": check_gateway,
    "secret": check_secret,
    "disk": check_disk,
    "extensions": check_extensions,
    "python": check_python,
    "ledger": check_ledger,
    "code": check_code,
    "checksums": check_checksums,
    "partitions": check_partitions,
    "schedule": check_schedule,
    "jobs": check_jobs,
    "counting": check_counting,
    "model": check_model,
}


def examine() -> list[Result]:
    """Every check of the instance that the environment names."""
    home = Path(os.environ["PGFEED_HOME"])
    try:
        connection = psycopg.connect(autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        problem = str(error).strip().splitlines()[0]
        remedy = f"make up (log: {home / 'log/postgres.log'})"
        return [Result("postgresql", False, problem, remedy)]

    with connection:
        connection.execute("set statement_timeout = '30s'")
        patient = Patient(
            repository=Path(os.environ["PGFEED_REPOSITORY"]),
            home=home,
            rest_url=os.environ.get("PGFEED_REST_URL", ""),
            gateway_url=os.environ.get("PGFEED_URL", ""),
            connection=connection,
        )
        results = []
        for name, check in CHECKS.items():
            try:
                results.append(Result(name, True, check(patient)))
            except Wrong as wrong:
                results.append(Result(name, False, wrong.finding, wrong.remedy))
            except psycopg.Error as error:
                problem = str(error).strip().splitlines()[0]
                results.append(Result(name, False, problem, "make up"))
        return results
