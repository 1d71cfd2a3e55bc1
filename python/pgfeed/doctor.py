"""The doctor's checks: each says that all is well, or what is wrong and what to do about it.

A check is a function of a Patient that returns a finding, or raises Wrong. Checks that need the
database are left out when it does not answer: the first line then says why. It changes nothing,
so it may be run on a primary or a standby at any moment.
"""

import hashlib
import itertools
import os
import re
import shutil
import stat
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import psycopg

# By engine; where others run the server, pgcrypto may be in a schema of theirs.
REQUIRED_EXTENSIONS = {
    "python": {
        "postgis": "ext",
        "intarray": "ext",
        "pgcrypto": "ext",
        "pg_stat_statements": "ext",
        "plpython3u": "pg_catalog",
    },
    "sql": {"postgis": "ext", "intarray": "ext"},
}

# What it was built for and tested with.
POSTGRESQL_MAJOR = 15
POSTGREST_MAJOR = 12

# A job may miss this many turns before it counts as late.
MISSED_TURNS = 2

# Below this much free disk, PostgreSQL may stop soon.
LEAST_FREE_BYTES = 1 << 30

# A model is learnt daily, by whoever trains from outside.
MOST_MODEL_AGE = timedelta(days=2)

# Every feed reads the changes beside the blocks: with more than these it is slow.
MOST_CHANGES = 50_000

# A table is bloated when it has this many dead rows, and this many a live one.
LEAST_DEAD_ROWS = 10_000
DEAD_PER_LIVE_ROW = 0.5

# A reader of an access log says at least every minute that it is there; one that cron starts
# comes by every few.
LONGEST_UNREAD = timedelta(minutes=15)

# WAL that a slot may hold back, and how long a standby may lag.
MOST_RETAINED_BYTES = 1 << 30
MOST_LAG = timedelta(seconds=30)


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
    """An instance: its files, its addresses, and a session in its database.

    home: of a private instance; None where the servers are run by others than bin/up
    redis: the gateway's cache as PGFEED_REDIS names it; empty where there is none
    """

    repository: Path
    home: Path | None
    secret_file: Path | None
    rest_url: str
    gateway_url: str
    connection: psycopg.Connection
    redis: str = ""
    redis_password_file: Path | None = None

    def value(self, query: str, **parameters: object) -> object:
        row = self.connection.execute(query, parameters).fetchone()
        return row[0] if row else None

    @cached_property
    def engine(self) -> str:
        """The engine in force; that in Python before there were two."""
        if self.value("select to_regclass('ops.engine_in_force') is null"):
            return "python"
        return self.value("select e.feed_engine::text from ops.engine_in_force as e")

    @cached_property
    def has_cron(self) -> bool:
        """Is pg_cron there, and may we look at it?"""
        return self.value(
            """
            select exists (
                select from pg_namespace as n
                where n.nspname = 'cron' and has_schema_privilege(n.oid, 'usage')
            )
            """
        )

    def column(self, query: str, **parameters: object) -> list:
        return [row[0] for row in self.connection.execute(query, parameters)]


def listed(names: list[str], most: int = 5) -> str:
    """The first names of a list, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


# ---------------------------------------------------------------- servers


def check_postgresql(patient: Patient) -> str:
    version = patient.value("show server_version")
    major = patient.value("select current_setting('server_version_num')::int / 10000")
    if major != POSTGRESQL_MAJOR:
        remedy = f"move to a cluster of version {POSTGRESQL_MAJOR}"
        raise Wrong(f"PostgreSQL is {version}, not {POSTGRESQL_MAJOR}", remedy)
    pending = patient.column("select name from pg_settings where pending_restart order by name")
    if pending:
        raise Wrong(f"settings wait for a restart: {listed(pending)}", "make down && make up")
    return f"PostgreSQL {version}"


def answers(url: str) -> tuple[int, str]:
    """The status, and which server says so."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.headers.get("Server", "")
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Server", "")
    except OSError as error:
        raise Wrong(f"{url} does not answer ({error})", "make up") from None


def check_postgrest(patient: Patient) -> str:
    if not patient.rest_url and patient.engine == "sql":
        return "not looked at: PGFEED_REST_URL names none"
    if not patient.rest_url or patient.rest_url.endswith(":0"):
        raise Wrong("PostgREST was never started", "make up")
    status, server = answers(patient.rest_url + "/")
    if status != 200:
        remedy = f"look into {log_of(patient, 'postgrest')}, then make up"
        raise Wrong(f"{patient.rest_url} answers {status}", remedy)
    if not server.startswith(f"postgrest/{POSTGREST_MAJOR}."):
        remedy = f"run PostgREST {POSTGREST_MAJOR} there"
        raise Wrong(f"{patient.rest_url} is {server or 'something else'}", remedy)
    return f"{server} at {patient.rest_url}"


def check_gateway(patient: Patient) -> str:
    if not patient.gateway_url and patient.engine == "sql":
        return "not looked at: PGFEED_URL names none"
    if not patient.gateway_url or patient.gateway_url.endswith(":0"):
        raise Wrong("the gateway was never started", "make up")
    status, _ = answers(patient.gateway_url + "/healthz")
    if status != 200:
        remedy = f"look into {log_of(patient, 'nginx')}, then make up"
        raise Wrong(f"{patient.gateway_url} answers {status}", remedy)
    return patient.gateway_url


def ask_redis(patient: Patient, *words: str) -> dict[str, str]:
    """The answer's pairs: of INFO, a hash, or CONFIG GET."""
    host, _, port = patient.redis.rpartition(":")
    place = ["-h", host, "-p", port]
    if patient.redis.startswith("unix:"):
        place = ["-s", patient.redis.removeprefix("unix:")]
    environment = dict(os.environ)
    if patient.redis_password_file is not None:
        environment["REDISCLI_AUTH"] = patient.redis_password_file.read_text().split("\n")[0]
    try:
        done = subprocess.run(
            ["redis-cli", *place, "--raw", *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=10,
        )
        failure = (done.stderr or done.stdout).strip() if done.returncode else ""
        # An error of Redis's own is no failure of redis-cli's.
        if re.match(r"(NOAUTH|WRONGPASS|LOADING|ERR) ", done.stdout):
            failure = done.stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        failure = str(error)
    if failure:
        remedy = "make up" if patient.redis.startswith("unix:") else "start it there"
        raise Wrong(f"Redis at {patient.redis} does not answer ({failure.splitlines()[0]})", remedy)
    lines = [line for line in done.stdout.splitlines() if line]
    if words[0] != "info":
        return dict(itertools.zip_longest(lines[::2], lines[1::2], fillvalue=""))
    return dict(line.split(":", 1) for line in lines if ":" in line)


def check_cache(patient: Patient) -> str:
    """Without it the gateway asks PostgREST, so only this check tells that it is gone."""
    if not patient.redis:
        return "off"
    info = ask_redis(patient, "info")
    if info["role"] != "master":
        raise Wrong(f"Redis at {patient.redis} is a replica", "name its primary in PGFEED_REDIS")
    saves = ask_redis(patient, "config", "get", "save").get("save", "")
    if saves or info["aof_enabled"] != "0":
        remedy = 'set save "" and appendonly no there'
        raise Wrong(f"Redis at {patient.redis} brings old answers back after a crash", remedy)
    most = int(info["maxmemory"])
    if not most or info["maxmemory_policy"] == "noeviction":
        remedy = "set maxmemory there, and maxmemory-policy allkeys-lru"
        raise Wrong(f"Redis at {patient.redis} fills up, and then takes no more", remedy)
    counts = ask_redis(patient, "hgetall", "pgfeed:lookups")
    hits, misses = (int(counts.get(name, 0)) for name in ("hits", "misses"))
    share = (
        f"{hits / (hits + misses):.0%} of {hits + misses} were hits" if counts else "not asked yet"
    )
    return (
        f"{share}, {int(info['used_memory']) >> 20} of {most >> 20} MB used,"
        f" {info['evicted_keys']} evicted"
    )


def log_of(patient: Patient, server: str) -> str:
    return f"{server}'s log" if patient.home is None else str(patient.home / f"log/{server}.log")


def check_secret(patient: Patient) -> str:
    path = patient.secret_file
    if path is None:
        return "not looked for: PGFEED_SECRET_FILE names none"
    if not path.is_file():
        raise Wrong(f"there is no {path}", "make up")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Wrong(f"others can read {path}", f"chmod 600 {path}")
    return "readable by its owner only"


def check_disk(patient: Patient) -> str:
    if patient.home is None:
        return "not looked at: the data is not here"
    free = shutil.disk_usage(patient.home).free
    if free < LEAST_FREE_BYTES:
        raise Wrong(f"{free >> 20} MB are free in {patient.home}", "make room on that disk")
    return f"{free >> 30} GB free"


def check_replication(patient: Patient) -> str:
    """A primary's standbys, slots and archive, or how far behind a standby is."""
    if patient.value("select pg_is_in_recovery()"):
        return check_standby(patient)

    slots = patient.column(
        """
        select s.slot_name::text || coalesce(
            ' keeps ' || pg_size_pretty(pg_current_wal_lsn() - s.restart_lsn), ' keeps nothing'
        )
        from pg_replication_slots as s
        where
            not s.active
            or s.wal_status in ('unreserved', 'lost')
            or pg_current_wal_lsn() - s.restart_lsn > %(most)s
        order by 1
        """,
        most=MOST_RETAINED_BYTES,
    )
    if slots:
        name = slots[0].split()[0]
        remedy = f"start its standby, or: select pg_drop_replication_slot('{name}')"
        raise Wrong(f"slots that nobody reads, or too slowly: {listed(slots)}", remedy)
    slow = patient.column(
        """
        select coalesce(nullif(r.application_name, ''), host(r.client_addr), r.pid::text)
        from pg_stat_replication as r
        where
            r.state not in ('streaming', 'backup')
            or r.replay_lag > %(most)s
        order by 1
        """,
        most=MOST_LAG,
    )
    if slow:
        remedy = "select * from pg_stat_replication, then look into the standby's log"
        raise Wrong(f"standbys that lag behind: {listed(slow)}", remedy)
    failing = patient.value(
        """
        select a.last_failed_wal from pg_stat_archiver as a
        where
            current_setting('archive_mode') <> 'off'
            and a.last_failed_time > coalesce(a.last_archived_time, '-infinity')
        """
    )
    if failing:
        remedy = "see the server's log for what archive_command said"
        raise Wrong(f"WAL is not archived: {failing} failed", remedy)
    return standbys_of(patient)


def standbys_of(patient: Patient) -> str:
    """How far behind each standby is, and whether commits wait for one."""
    waited_for = patient.value("show synchronous_standby_names")
    standbys = patient.connection.execute(
        """
        select
            coalesce(nullif(r.application_name, ''), host(r.client_addr), r.pid::text),
            pg_size_pretty(pg_current_wal_flush_lsn() - r.replay_lsn),
            coalesce(extract(epoch from r.replay_lag), 0)::float8,
            r.sync_state in ('sync', 'quorum')
        from pg_stat_replication as r
        where r.state = 'streaming'
        order by 1
        """
    ).fetchall()
    if waited_for and not any(is_waited_for for *_, is_waited_for in standbys):
        remedy = "start one, or: alter system set synchronous_standby_names = '', and reload"
        raise Wrong(f"every commit waits for {waited_for}, and none of them is there", remedy)
    if not standbys:
        return "no standby"
    lags = listed([f"{name} {size}, {seconds:.1f} s" for name, size, seconds, _ in standbys])
    waits = "; a commit waits for one of them" if waited_for else ""
    return f"{len(standbys)} standbys, none lags: {lags} behind{waits}"


def check_standby(patient: Patient) -> str:
    """On an idle primary nothing is replayed for long; only what is received and waits counts."""
    is_streaming = patient.value("select exists (select from pg_stat_wal_receiver)")
    if not is_streaming and not patient.value("select current_setting('restore_command') <> ''"):
        raise Wrong("this standby receives nothing", "see its log, and primary_conninfo")
    lag = patient.value(
        """
        select case
            when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then interval '0'
            else clock_timestamp()
                - coalesce(pg_last_xact_replay_timestamp(), pg_postmaster_start_time())
        end
        """
    )
    if lag > MOST_LAG:
        remedy = "look for a long query here that replay waits for: pg_stat_activity"
        raise Wrong(f"this standby is {lag} behind", remedy)
    return f"a standby, {lag.total_seconds():.1f} s behind"


# ---------------------------------------------------------------- what is installed


def check_extensions(patient: Patient) -> str:
    installed = dict(
        patient.connection.execute(
            "select e.extname, e.extnamespace::regnamespace::text from pg_extension as e"
        ).fetchall()
    )
    for name, schema in REQUIRED_EXTENSIONS[patient.engine].items():
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
    absent = [name for name in ("plpython3u", "pg_cron") if name not in installed]
    return f"{len(installed)} installed" + (f"; absent: {listed(absent)}" if absent else "")


def check_python(patient: Patient) -> str:
    """Does the server's Python find our packages, and not Debian's?"""
    if patient.engine == "sql":
        return "none in the server: the engine is plain SQL"
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


def listed_files(manifest: str, engine: str) -> list[str]:
    """The paths in a code.manifest that are of this engine, or of all."""
    others = {"python", "sql"} - {engine}
    lines = (line.partition("#")[0].split() for line in manifest.splitlines())
    return [words[0] for words in lines if words and others.isdisjoint(words[1:])]


def check_code(patient: Patient) -> str:
    folder = patient.repository / "sql"
    paths = listed_files((folder / "code.manifest").read_text(), patient.engine)
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
    dropped = patient.column(
        """
        select o.object
        from ops.source_files as s
        cross join lateral unnest(s.objects) as o (object)
        where not exists (
            select
            from (
                select 'pg_proc'::regclass as catalogue, oid from pg_proc
                union all
                select 'pg_class'::regclass, oid from pg_class where relkind = 'v'
                union all
                select 'pg_trigger'::regclass, oid from pg_trigger where not tgisinternal
                union all
                select 'pg_policy'::regclass, oid from pg_policy
            ) as c
            cross join lateral pg_identify_object(c.catalogue, c.oid, 0) as i
            where o.object = i.type || ' ' || i.identity
        )
        order by 1
        """
    )
    if dropped:
        raise Wrong(f"made by the code, but not there: {listed(dropped)}", "bin/apply-code")
    return f"{len(paths)} files as in the manifest, engine {patient.engine}"


# ---------------------------------------------------------------- data and jobs


def check_checksums(patient: Patient) -> str:
    failures = patient.value(
        "select coalesce(sum(checksum_failures), 0)::int from pg_stat_database"
    )
    if failures:
        raise Wrong(f"{failures} pages failed their checksum", "restore from a backup")
    return "no page failed"


def check_indexes(patient: Patient) -> str:
    """One that was made concurrently and failed is kept up to date, and serves nobody."""
    invalid = patient.column(
        """
        select i.indexrelid::regclass::text
        from pg_index as i
        where
            not (i.indisvalid and i.indisready)
            and not exists (
                select from pg_stat_progress_create_index as p
                where p.index_relid = i.indexrelid
            )
        order by 1
        """
    )
    if invalid:
        remedy = f"reindex index concurrently {invalid[0]}, or drop it"
        raise Wrong(f"invalid: {listed(invalid)}", remedy)
    return "all valid"


def check_bloat(patient: Patient) -> str:
    bloated = patient.column(
        """
        select s.relid::regclass::text
        from pg_stat_user_tables as s
        where
            s.n_dead_tup > %(least)s
            and s.n_dead_tup > %(ratio)s * s.n_live_tup
        order by s.n_dead_tup desc
        """,
        least=LEAST_DEAD_ROWS,
        ratio=DEAD_PER_LIVE_ROW,
    )
    if bloated:
        remedy = f"vacuum (analyze, verbose) {bloated[0]}; it says what keeps the rows"
        raise Wrong(f"many dead rows: {listed(bloated)}", remedy)
    return "no table has many dead rows"


def check_blocks(patient: Patient) -> str:
    """Are the blocks that feeds read complete, and what changed since not too much or too old?"""
    if patient.engine == "sql":
        return check_digests(patient)
    waiting, packed, is_open, waited, schedule = patient.connection.execute(
        """
        select
            (select count(*) from feed.listing_changes),
            (select coalesce(sum(b.row_count), 0) from feed.listing_blocks as b),
            (select count(*) from feed.listings as l where l.status = 'open'),
            clock_timestamp() - greatest(
                (
                    select max(r.finished_at) from jobs.runs as r
                    where r.job in ('refresh_trending', 'refresh_engagement')
                ),
                pg_postmaster_start_time()
            ),
            (select s.schedule from jobs.schedules as s where s.job = 'refresh_trending')
        """
    ).fetchone()
    fold = "call jobs.refresh_trending()"
    if waiting > MOST_CHANGES:
        raise Wrong(f"{waiting} changes are not folded into the blocks yet", fold)
    if waiting and schedule and waited > MISSED_TURNS * period_of(schedule):
        raise Wrong(f"{waiting} changes were not folded into the blocks for {waited}", fold)
    if not waiting and packed != is_open:
        remedy = "pack them anew: docs/dba/failures.md"
        raise Wrong(f"the blocks hold {packed} listings, open are {is_open}", remedy)
    return f"{packed} listings packed, {waiting} changes beside them"


def check_digests(patient: Patient) -> str:
    """Is what the engine in SQL reads what the listings say?"""
    count, wrong = patient.connection.execute(
        """
        select
            count(d.listing_no),
            count(*) filter (
                where (d.is_open, d.x, d.engagement_score, d.created_at, d.expires_at, d.tag_nos)
                is distinct from
                (f.is_open, f.x, f.engagement_score, f.created_at, f.expires_at, f.tag_nos)
                or d.poster_uid is distinct from f.poster_uid
            )
        from feed.listing_digest_facts as f
        full join feed.listing_digests as d using (listing_no)
        """
    ).fetchone()
    if wrong:
        raise Wrong(f"{wrong} digests are not what the listings say", "select feed.begin_engine()")
    return f"{count} digests, all as the listings are"


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
    if not patient.has_cron:
        if patient.engine == "sql":
            return "pg_cron is not here: another scheduler runs the jobs"
        raise Wrong("pg_cron is not in this database: no job runs by itself", "make up")
    missing = patient.column(
        """
        select s.job
        from jobs.schedules as s
        where s.is_enabled and not exists (
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
    unwanted = patient.column(
        """
        select s.job
        from jobs.schedules as s
        inner join cron.job as c
            on c.jobname = 'pgfeed ' || s.job and c.database = current_database()
        where c.active and not s.is_enabled
        order by s.job
        """
    )
    if unwanted:
        raise Wrong(f"off, and scheduled all the same: {listed(unwanted)}", "make up")
    if not patient.value(
        """
        select exists (select from pg_stat_activity where backend_type = 'pg_cron launcher')
            -- others do not see what kind of process it is
            or not pg_has_role('pg_read_all_stats', 'usage')
        """
    ):
        raise Wrong("pg_cron's launcher does not run", "make down && make up")
    enabled, off = patient.connection.execute(
        """
        select count(*) filter (where s.is_enabled), count(*) filter (where not s.is_enabled)
        from jobs.schedules as s
        """
    ).fetchone()
    return f"{enabled} jobs scheduled" + (f", {off} off" if off else "")


def period_of(schedule: str) -> timedelta:
    """How often five cron fields come round, for the kinds of schedule that we use."""
    minute, hour, _, _, weekday = schedule.split()
    if every := re.fullmatch(r"\*/(\d+)", minute):
        return timedelta(minutes=int(every[1]))
    if minute == "*":
        return timedelta(minutes=1)
    if hour == "*":
        return timedelta(hours=1)
    return timedelta(days=1) if weekday == "*" else timedelta(days=7)


def refused_by_cron(patient: Patient) -> tuple[str, str] | None:
    """A job whose latest turn failed, maybe before it could enter its run, and what was said."""
    if not patient.has_cron:
        return None
    return patient.connection.execute(
        """
        select d.jobname, split_part(d.return_message, e'\\n', 1)
        from (
            select distinct on (j.jobid) j.jobname, r.status, r.return_message
            from cron.job as j
            inner join cron.job_run_details as r using (jobid)
            where j.jobname like 'pgfeed %'
            order by j.jobid, r.runid desc
        ) as d
        where d.status = 'failed'
        order by d.jobname
        limit 1
        """
    ).fetchone()


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
        where s.is_enabled
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
    refused = refused_by_cron(patient)
    if refused:
        raise Wrong(f"pg_cron could not run {refused[0]}: {refused[1]}", "see the server's log")
    never = [job for job, _, state, *_ in latest if state is None]
    return f"none late, {len(never)} not run yet" if never else "none late, none failed"


def check_access_log(patient: Patient) -> str:
    """Is what analytics.feed_latency counts up to date?"""
    if patient.home is not None:
        pid_file = patient.home / "run/log-reader.pid"
        pid = pid_file.read_text().strip() if pid_file.is_file() else ""
        if not pid or not Path(f"/proc/{pid}").is_dir():
            raise Wrong("nobody reads the gateway's access log", "make up")
    unread = patient.connection.execute(
        """
        select l.source, l.path, l.log_no, a.waited
        from ops.access_logs as l
        cross join lateral (
            select clock_timestamp() - greatest(l.checked_at, pg_postmaster_start_time())
        ) as a (waited)
        where l.rotated_at is null and a.waited > %s
        order by l.log_no
        limit 1
        """,
        (LONGEST_UNREAD,),
    ).fetchone()
    if unread:
        source, path, log_no, waited = unread
        raise Wrong(
            f"{path} of {source} was not read for {waited}",
            f"start pgfeed access-log --follow there; if that gateway is gone:"
            f" delete from ops.access_logs where log_no = {log_no}",
        )
    count, skipped = patient.connection.execute(
        """
        select count(*), coalesce(sum(l.skipped_count), 0)
        from ops.access_logs as l where l.rotated_at is null
        """
    ).fetchone()
    return f"{count} read, {skipped} lines skipped" if count else "none is read yet"


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
    age = patient.value("select clock_timestamp() - published_at from ml.current_model")
    if patient.engine == "sql" and age > MOST_MODEL_AGE:
        # No job of the server's says so.
        raise Wrong(f"learnt at {trained:%F %T}, {age.days} days ago", "pgfeed train --dsn …")
    return f"learnt at {trained:%F %T}"


CHECKS: dict[str, Callable[[Patient], str]] = {
    "postgresql": check_postgresql,
    "postgrest": check_postgrest,
    "gateway": check_gateway,
    "cache": check_cache,
    "secret": check_secret,
    "disk": check_disk,
    "replication": check_replication,
    "extensions": check_extensions,
    "python": check_python,
    "ledger": check_ledger,
    "code": check_code,
    "checksums": check_checksums,
    "indexes": check_indexes,
    "bloat": check_bloat,
    "blocks": check_blocks,
    "partitions": check_partitions,
    "schedule": check_schedule,
    "jobs": check_jobs,
    "access_log": check_access_log,
    "counting": check_counting,
    "model": check_model,
}


def run_check(patient: Patient, name: str) -> Result:
    """One line of the report."""
    try:
        return Result(name, True, CHECKS[name](patient))
    except Wrong as wrong:
        return Result(name, False, wrong.finding, wrong.remedy)
    except psycopg.Error as error:
        problem = str(error).strip().splitlines()[0]
        return Result(name, False, problem, "see the server's log; make up")


def path_in(variable: str) -> Path | None:
    return Path(os.environ[variable]) if os.environ.get(variable) else None


def examine() -> list[Result]:
    """Every check of the instance that the environment names.

    PGHOST and its kin name the database, PGFEED_REST_URL and PGFEED_URL the servers, PGFEED_REDIS
    the cache if there is one; PGFEED_HOME and PGFEED_SECRET_FILE may be missing.
    """
    home = path_in("PGFEED_HOME")
    try:
        connection = psycopg.connect(autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        problem = str(error).strip().splitlines()[0]
        log = "the server's log" if home is None else home / "log/postgres.log"
        return [Result("postgresql", False, problem, f"make up (log: {log})")]

    with connection:
        connection.execute("set statement_timeout = '30s'")
        patient = Patient(
            repository=path_in("PGFEED_REPOSITORY") or Path(__file__).resolve().parents[2],
            home=home,
            secret_file=path_in("PGFEED_SECRET_FILE"),
            rest_url=os.environ.get("PGFEED_REST_URL", ""),
            gateway_url=os.environ.get("PGFEED_URL", ""),
            connection=connection,
            redis=os.environ.get("PGFEED_REDIS", ""),
            redis_password_file=path_in("PGFEED_REDIS_PASSWORD_FILE"),
        )
        return [run_check(patient, name) for name in CHECKS]
