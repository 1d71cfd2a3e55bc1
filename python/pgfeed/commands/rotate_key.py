"""pgfeed rotate-key: a new key that signs tokens, with no token refused meanwhile."""

import json
import os
import secrets
import signal
from contextlib import suppress
from pathlib import Path

import click
import jwt.utils
import psycopg

from pgfeed.instance import Instance


def jwk(secret: bytes) -> dict[str, str]:
    """A symmetric key as RFC 7517 writes it."""
    return {"kty": "oct", "alg": "HS256", "k": jwt.utils.base64url_encode(secret).decode()}


def keys_of(secret: str) -> list[dict[str, str]]:
    """The keys of a secret file, the signing one first."""
    return json.loads(secret)["keys"] if secret.startswith("{") else [jwk(secret.encode())]


def replace_file(path: Path, text: str) -> None:
    """Writes a file at once, for the same owner and nobody else."""
    owner = path.stat()
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)


def reload_standbys(home: Path) -> None:
    """NOTIFY reaches no PostgREST of a standby; those here are told by a signal."""
    for pid_file in [*home.glob("run/postgrest.pid"), *home.glob("replica*/run/postgrest.pid")]:
        settings = pid_file.parents[1] / "conf/postgrest.conf"
        with suppress(OSError, ValueError):
            pid = int(pid_file.read_text())
            if str(settings) in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGUSR2)


@click.command()
@click.option("--finish", is_flag=True, help="From now on accept the signing key only.")
def rotate_key(finish: bool) -> None:
    """Make a new signing key and accept the former ones beside it, until --finish."""
    keys = keys_of(Instance.from_environment().secret)
    if finish:
        keys = keys[:1]
    else:
        keys.insert(0, jwk(secrets.token_urlsafe(48).encode()))
    replace_file(Path(os.environ["PGFEED_SECRET_FILE"]), json.dumps({"keys": keys}))
    # PostgREST reads the file again, and asks nobody to wait.
    with psycopg.connect(autocommit=True) as connection:
        connection.execute("notify pgrst, 'reload config'")
    if os.environ.get("PGFEED_HOME"):
        reload_standbys(Path(os.environ["PGFEED_HOME"]))
    click.echo(f"tokens of {len(keys)} key{'s' if len(keys) != 1 else ''} are accepted", err=True)
