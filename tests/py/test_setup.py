"""Setting up, starting and stopping: twice, from anywhere, after crashes, in odd places."""

import json
import os
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest

from harness import REPOSITORY, Instance, clean_environment, run

Make = Callable[..., Instance]
SERVERS = ("postgres", "postgrest", "nginx")


def pids(instance: Instance) -> dict[str, int]:
    return {name: instance.pid(name) for name in SERVERS}


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def is_well(instance: Instance) -> bool:
    with instance.client() as client:
        return client.get("/healthz").status_code == 200


# ---------------------------------------------------------------- install


def processor_seconds() -> float:
    """What the commands that we ran have used, however busy the machine was."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_install_is_quick_when_nothing_is_missing() -> None:
    started = processor_seconds()
    done = run(REPOSITORY / "bin/install", env=clean_environment())
    assert processor_seconds() - started < 1
    assert "everything is there" in done.stderr


def test_install_says_what_only_root_can_do(test_home: Path) -> None:
    """Neither root nor sudo, and a package is missing: one command to run, and nothing done."""
    folder = test_home / "fakes"
    folder.mkdir()
    fakes = {
        "dpkg-query": "#!/bin/sh\necho 'installed sqitch'\n",
        "sudo": "#!/bin/sh\nexit 1\n",
        "apt-get": '#!/bin/sh\ntouch "$(dirname "$0")/called"\n',
    }
    for name, text in fakes.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    as_nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    command = (*(as_nobody if os.getuid() == 0 else ()), "bash", REPOSITORY / "bin/install")
    path = f"{folder}:{os.environ['PATH']}"
    done = run(*command, env=clean_environment(PATH=path), cwd="/", check=False)
    assert done.returncode != 0
    assert "apt-get install -y --no-install-recommends postgresql-15 " in done.stderr
    assert " sqitch" not in done.stderr
    assert "install stopped" in done.stderr.splitlines()[-1]
    assert not (folder / "called").exists()


# ---------------------------------------------------------------- up and down


def test_up_twice_is_as_once(instance: Instance) -> None:
    before = pids(instance)
    done = instance.bin("up")
    assert pids(instance) == before
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_down_keeps_the_data_and_the_ports(fresh_instance: Make) -> None:
    fresh = fresh_instance()
    user_uid = uuid.uuid4()
    with fresh.connect() as connection:
        connection.execute("insert into feed.users (user_uid) values (%s)", (user_uid,))
    running = pids(fresh) | {"log-reader": fresh.pid("log-reader")}
    values = fresh.values
    assert all(is_running(pid) for pid in running.values())
    assert is_well(fresh)

    fresh.down()
    # A process is there for a moment after it has said good-bye.
    patience = time.monotonic() + 10
    while any(is_running(pid) for pid in running.values()):
        assert time.monotonic() < patience, running
        time.sleep(0.1)
    fresh.down()

    fresh.up()
    assert fresh.values == values
    assert is_well(fresh)
    assert is_running(fresh.pid("log-reader"))
    with fresh.connect() as connection:
        query = "select count(*) from feed.users where user_uid = %s"
        assert connection.execute(query, (user_uid,)).fetchone() == (1,)


def test_ports_in_use_are_left_to_their_users(fresh_instance: Make) -> None:
    fresh = fresh_instance()
    ports = {int(value.rsplit(":", 1)[1]) for name, value in fresh.values.items() if "URL" in name}
    assert len(ports) == 3
    fresh.down()
    strangers = [socket.create_server(("127.0.0.1", port)) for port in ports]
    try:
        fresh.up()
        assert is_well(fresh)
        now = {int(value.rsplit(":", 1)[1]) for key, value in fresh.values.items() if "URL" in key}
        assert len(now) == 3
        assert not now & ports
    finally:
        for stranger in strangers:
            stranger.close()


def test_everything_listens_on_this_machine_only(instance: Instance) -> None:
    """Whatever our servers listen on is 127.0.0.1."""
    inodes = set()
    for server in pids(instance).values():
        for file in Path(f"/proc/{server}/fd").iterdir():
            target = os.readlink(file)
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    listening = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                listening.append(fields[1].split(":")[0])
    assert len(listening) == 3
    assert set(listening) == {"0100007F"}


@pytest.mark.parametrize("victims", [SERVERS, ("nginx",), ("postgrest",), ("postgres",)], ids=str)
def test_up_after_kill_9(fresh_instance: Make, victims: tuple[str, ...]) -> None:
    fresh = fresh_instance()
    for victim in victims:
        os.kill(fresh.pid(victim), signal.SIGKILL)
    fresh.up()
    assert is_well(fresh)
    with fresh.client() as client:
        assert client.get("/api/v1/feed/trending").status_code == 200


def test_a_pid_that_is_somebody_elses_is_left_alone(fresh_instance: Make) -> None:
    """After a reboot the pids in our files belong to others."""
    fresh = fresh_instance()
    for server in SERVERS:
        os.kill(fresh.pid(server), signal.SIGKILL)
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        for server in ("postgrest", "nginx"):
            (fresh.home / f"run/{server}.pid").write_text(f"{stranger.pid}\n")
        file = fresh.home / "data/postmaster.pid"
        lines = file.read_text().splitlines()
        file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")

        fresh.down()
        assert stranger.poll() is None
        fresh.up()
        assert stranger.poll() is None
        assert is_well(fresh)
    finally:
        stranger.kill()
        stranger.wait()


def test_two_ups_at_once(fresh_instance: Make) -> None:
    """The second waits for the first; both succeed; nothing runs twice."""
    fresh = fresh_instance("--no-http")
    fresh.down()
    environment = clean_environment(PGFEED_HOME=str(fresh.home))
    both = [
        subprocess.Popen([REPOSITORY / "bin/up"], env=environment, stdin=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    fresh.read_env()
    assert is_well(fresh)


def test_up_deploys_what_is_new(instance: Instance) -> None:
    path = "functions/feed/recency_score.sql"
    with instance.connect() as connection:
        connection.execute(
            "update ops.source_files set sha256 = repeat('0', 64) where path = %s", (path,)
        )
        done = instance.bin("up")
        assert path in done.stdout
        query = "select sha256 = repeat('0', 64) from ops.source_files where path = %s"
        assert connection.execute(query, (path,)).fetchone() == (False,)


# ---------------------------------------------------------------- odd places


def test_bare_environment(fresh_instance: Make) -> None:
    """No HOME, no terminal, another folder, somebody else's PGHOST."""
    fresh = fresh_instance("--no-http")
    environment = {
        "PATH": "/usr/bin:/bin",
        "PGFEED_HOME": str(fresh.home),
        "PGHOST": "db.example.org",
        "PGUSER": "nobody",
        "PGDATABASE": "production",
    }
    run(REPOSITORY / "bin/up", env=environment, cwd="/")
    done = run(REPOSITORY / "bin/psql", "-XAtc", "show port", env=environment, cwd="/")
    assert done.stdout.strip() == "5432"
    run(REPOSITORY / "bin/down", env=environment, cwd="/")


def test_deep_folder(test_home: Path) -> None:
    """A socket's path may have 107 bytes."""
    deep = Instance(test_home / ("deep-" + "x" * 60) / ("y" * 60))
    try:
        deep.up("--no-http")
        assert deep.values["PGHOST"].startswith("/tmp/pgfeed-")
        assert Path(deep.values["PGHOST"]).stat().st_mode & 0o777 == 0o700
        with deep.connect() as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        deep.down()
        assert not Path(deep.values["PGHOST"]).exists()
    finally:
        deep.remove()


@pytest.mark.parametrize("name", ["with space", "quo'te", "new\nline", "dollar$"])
def test_folder_that_no_configuration_takes(test_home: Path, name: str) -> None:
    done = Instance(test_home / name).bin("up", check=False)
    assert done.returncode != 0
    assert "use letters, digits" in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="a user's servers run as the user")
def test_folder_that_the_server_cannot_enter(test_home: Path) -> None:
    closed = test_home / "closed"
    closed.mkdir(mode=0o700)
    done = Instance(closed / "home").bin("up", check=False)
    assert done.returncode != 0
    assert "user postgres, who runs the servers, cannot reach it" in done.stderr
    closed.rmdir()


@pytest.mark.slow
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "with a space"])
def test_checkout_that_the_server_cannot_read(
    test_home: Path,
    deployed: Path,
    tools: Path,
    checkout_copy: Callable[[Path], None],
    closed: bool,
) -> None:
    """The servers then read a copy of what they need of it."""
    place = test_home / ("closed checkout" if not closed else "closed-checkout")
    copy = place / "pgfeed"
    checkout_copy(copy)
    place.chmod(0o700 if closed else 0o755)
    home = Instance(test_home / f"served-{closed}").begin_with(deployed).home
    environment = clean_environment(PGFEED_HOME=str(home), PGFEED_TOOLS=str(tools))
    try:
        run(copy / "bin/up", env=environment, cwd=copy)
        done = run(copy / "bin/doctor", env=environment, cwd=copy, check=False)
        assert "WRONG" not in done.stdout, done.stdout
    finally:
        run(copy / "bin/down", env=environment, cwd=copy, check=False)
        shutil.rmtree(place)
        shutil.rmtree(home)


# ---------------------------------------------------------------- what people type


def test_env_is_for_eval(instance: Instance) -> None:
    script = f'eval "$(make -s -C {shlex.quote(str(REPOSITORY))} env)"; psql -XAtc "select 1"; env'
    environment = clean_environment(PGFEED_HOME=str(instance.home))
    environment["PATH"] = "/usr/lib/postgresql/15/bin:" + environment["PATH"]
    done = run("bash", "-c", script, env=environment, cwd="/")
    assert done.stdout.splitlines()[0] == "1"
    printed = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    for name in ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGFEED_REST_URL", "PGFEED_URL"):
        assert printed[name] == instance.values[name]


def test_env_before_up(test_home: Path) -> None:
    done = Instance(test_home / "nothing").bin("env", check=False)
    assert done.returncode != 0
    assert "make up" in done.stderr
    assert done.stdout == ""


def make(instance: Instance, *words: str, **options: object) -> subprocess.CompletedProcess:
    environment = clean_environment(PGFEED_HOME=str(instance.home))
    return run("make", "-s", "-C", REPOSITORY, *words, env=environment, **options)


def test_token(instance: Instance) -> None:
    user_uid = str(uuid.uuid4())
    done = make(instance, "token", f"USER_UID={user_uid}", cwd="/")
    claims = jwt.decode(done.stdout.strip(), instance.secret, algorithms=["HS256"])
    assert claims["sub"] == user_uid
    assert claims["role"] == "authenticated"
    assert 86000 < claims["exp"] - time.time() <= 86400
    with instance.client() as client:
        headers = {"Authorization": f"Bearer {done.stdout.strip()}"}
        assert client.get("/api/v1/feed", headers=headers).status_code == 200

    done = make(instance, "token", "ROLE=service_role")
    claims = jwt.decode(done.stdout.strip(), instance.secret, algorithms=["HS256"])
    assert claims["role"] == "service_role"


@pytest.mark.parametrize("words", [("USER_UID=zz",), (), ("USER_UID=x", "ROLE=postgres")])
def test_token_that_cannot_be(instance: Instance, words: tuple[str, ...]) -> None:
    done = make(instance, "token", *words, check=False)
    assert done.returncode != 0
    assert done.stdout == ""


def test_data_is_named_from_the_callers_folder(instance: Instance, tmp_path: Path) -> None:
    environment = clean_environment(PGFEED_HOME=str(instance.home), PWD=str(tmp_path))
    command = ("make", "-s", "-C", REPOSITORY, "load", "DATA=no/such folder")
    done = run(*command, env=environment, cwd=tmp_path, check=False)
    assert done.returncode != 0
    assert f"there is no folder {tmp_path}/no/such folder" in done.stderr


def test_make_alone_lists_the_commands() -> None:
    done = run("make", "-s", "-C", REPOSITORY)
    for name in ("demo", "test", "up", "down", "load", "synth", "train", "env", "token"):
        assert f"  make {name} " in done.stdout


# ---------------------------------------------------------------- the doctor


def examine(instance: Instance) -> tuple[int, dict[str, dict]]:
    done = instance.bin("doctor", "--json", check=False)
    lines = (json.loads(line) for line in done.stdout.splitlines())
    return done.returncode, {line["check"]: line for line in lines}


def wrong(results: dict[str, dict]) -> set[str]:
    return {name for name, result in results.items() if not result["is_ok"]}


def test_doctor_finds_nothing_in_a_fresh_instance(fresh_instance: Make) -> None:
    fresh = fresh_instance()
    status, results = examine(fresh)
    assert (status, wrong(results)) == (0, set()), results


@pytest.mark.slow
def test_doctor_names_what_is_wrong_and_the_remedy(fresh_instance: Make) -> None:
    fresh = fresh_instance()
    with fresh.connect() as connection:
        ailments = {
            "schedule": "update cron.job set active = false where jobname like '%trending'",
            "code": "update ops.source_files set sha256 = repeat('0', 64)",
            "ledger": "delete from sqitch.dependencies; delete from sqitch.tags;"
            " delete from sqitch.changes where change = 'trending'",
            "jobs": "insert into jobs.runs (job, started_at, backend_pid)"
            " values ('train_models', now() + interval '1 hour', 1)",
            "extensions": "alter extension pgcrypto set schema public",
            "counting": "insert into feed.interaction_keys"
            " values (gen_random_uuid(), gen_random_uuid(), 1, now())",
        }
        for statement in ailments.values():
            connection.execute(statement)
    (fresh.home / "jwt.secret").chmod(0o644)
    os.kill(fresh.pid("nginx"), signal.SIGTERM)
    time.sleep(0.5)

    status, results = examine(fresh)
    assert status == 1
    assert wrong(results) == {*ailments, "secret", "gateway"}
    assert all(results[name]["remedy"] for name in wrong(results))
    assert "refresh_trending" in results["schedule"]["finding"]

    done = fresh.bin("doctor", check=False)
    assert "WRONG  gateway" in done.stdout
    assert "->  make up" in done.stdout


def test_doctor_when_everything_is_down(fresh_instance: Make) -> None:
    fresh = fresh_instance("--no-http")
    fresh.down()
    status, results = examine(fresh)
    assert status == 1
    assert wrong(results) == {"postgresql"}
    assert "make up" in results["postgresql"]["remedy"]
