"""Tokens: which are believed, as whom, and how the key that signs them is changed."""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from harness import REPOSITORY, Instance
from pgfeed.instance import ROLES
from world import Town, assert_error, fingerprint

pytestmark = pytest.mark.usefixtures("quiet")

TRACK = "/api/v1/feed/interactions"
NOBODY = "99999999-9999-4999-8999-999999999999"
ANN = "0c000000-0000-4000-8000-000000000001"
HS256 = {"alg": "HS256", "typ": "JWT"}

Sign = Callable[[bytes], bytes]


def encoded(data: bytes | dict) -> str:
    if isinstance(data, dict):
        data = json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def by_secret(secret: str | bytes) -> Sign:
    key = secret.encode() if isinstance(secret, str) else secret
    return lambda text: hmac.digest(key, text, "sha256")


def made(sign: Sign, head: dict = HS256, **claims: object) -> str:
    """A user's token, good but for what is given; a claim that is ... is left out."""
    good = {"role": "authenticated", "sub": ANN, "exp": int(time.time()) + 600}
    # What is given comes first, and so moves what comes after it.
    body = {name: value for name, value in (claims | good | claims).items() if value is not ...}
    text = f"{encoded(head)}.{encoded(body)}"
    return f"{text}.{encoded(sign(text.encode()))}"


def tampered(secret: str) -> str:
    """Another's claims above a signature of one's own."""
    head, _, signature = made(by_secret(secret)).split(".")
    _, claims, _ = made(by_secret(secret), role="service_role").split(".")
    return f"{head}.{claims}.{signature}"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def soon(seconds: int) -> int:
    return int(time.time()) + seconds


# PostgREST allows clocks to differ by 30 seconds.
UNBELIEVED: dict[str, Callable[[str], str]] = {
    "expired": lambda secret: made(by_secret(secret), exp=soon(-120)),
    "expired long ago": lambda secret: made(by_secret(secret), exp=0),
    "with an exp that is no time": lambda secret: made(by_secret(secret), exp="never"),
    "not yet valid": lambda secret: made(by_secret(secret), nbf=soon(600)),
    "issued in the future": lambda secret: made(by_secret(secret), iat=soon(600)),
    "of another key": lambda secret: made(by_secret("another key, and long: 0123456789abcdef")),
    "of an empty key": lambda secret: made(by_secret("")),
    "of the key in another spelling": lambda secret: made(by_secret(base64.b64decode(secret))),
    "tampered": tampered,
    "unsigned": lambda secret: made(lambda text: b"", {"alg": "none"}, role="service_role"),
    "unsigned, in capitals": lambda secret: made(lambda text: b"", {"alg": "NONE"}),
    "unsigned with a signature": lambda secret: made(by_secret(secret), {"alg": "none"}),
    "without a signature": lambda secret: made(by_secret(secret)).rsplit(".", 1)[0] + ".",
    "of two parts": lambda secret: made(by_secret(secret)).rsplit(".", 1)[0],
    "of four parts": lambda secret: made(by_secret(secret)) + ".x",
    "of another algorithm": lambda secret: made(by_secret(secret), {"alg": "RS256"}),
    "without an algorithm": lambda secret: made(by_secret(secret), {"typ": "JWT"}),
    "with a key of its own": lambda secret: made(
        by_secret("mine"), HS256 | {"jwk": {"kty": "oct", "k": encoded(b"mine")}}
    ),
    "of no token": lambda secret: "bicycle",
    "of three words": lambda secret: "x.y.z",
    "without sub": lambda secret: made(by_secret(secret), sub=...),
    "with a sub of null": lambda secret: made(by_secret(secret), sub=None),
    "with an empty sub": lambda secret: made(by_secret(secret), sub=""),
    "with a sub that is no uuid": lambda secret: made(by_secret(secret), sub="ann"),
    "with a uuid and more": lambda secret: made(by_secret(secret), sub=f"{ANN}' or true --"),
    "with a sub that is a number": lambda secret: made(by_secret(secret), sub=5),
    "with a sub that is a list": lambda secret: made(by_secret(secret), sub=[ANN]),
    "that is huge": lambda secret: made(by_secret(secret), more="x" * 8000),
}


@pytest.mark.parametrize("name", UNBELIEVED)
def test_a_token_is_refused(
    here: Town, instance: Instance, rest: httpx.Client, db: psycopg.Connection, name: str
) -> None:
    """At every door, whatever it asks for, also for what needs no token."""
    headers = bearer(UNBELIEVED[name](instance.secret))
    listing = here.listing()
    before = fingerprint(db)
    for method, path, options in (
        ("GET", "/api/v1/feed", {}),
        ("POST", "/api/v1/feed", {"json": {}}),
        ("GET", "/rest/v1/rpc/get_feed", {}),
        ("POST", f"{TRACK}/{listing}", {"json": {"type": "dismiss"}}),
        ("DELETE", f"{TRACK}/{NOBODY}", {}),
        ("PATCH", "/api/v1/preferences", {"json": {"max_distance": 1}}),
        ("POST", "/rest/v1/listings", {"json": {"title": "Forged"}}),
        ("POST", "/rest/v1/rpc/upsert_users", {"json": {"users": [{"user_uid": NOBODY}]}}),
        ("GET", "/rest/v1/trending", {}),
        ("GET", "/rest/v1/", {}),
    ):
        assert_error(here.call(None, method, path, headers=headers, **options), 401)
    # PostgREST itself has no limit on its length but that of all headers.
    if name != "that is huge":
        assert rest.get("/trending", headers=headers).status_code == 401
        assert rest.post("/rpc/get_feed", json={}, headers=headers).status_code == 401
    assert fingerprint(db) == before


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YW5uOnNlY3JldA=="}])
def test_no_token(here: Town, refused: Callable, headers: dict) -> None:
    listing = here.listing()
    for method, path, options in (
        ("GET", "/api/v1/feed", {}),
        ("GET", f"/api/v1/feed?user_uid={here.user()}", {}),
        ("POST", "/api/v1/feed", {"json": {}}),
        ("GET", f"/api/v1/explain/{listing}", {}),
        ("POST", f"{TRACK}/{listing}", {"json": {"type": "view"}}),
        ("POST", TRACK, {"json": {"events": []}}),
        ("DELETE", f"{TRACK}/{NOBODY}", {}),
        ("GET", "/api/v1/preferences", {}),
        ("PATCH", "/api/v1/preferences", {"json": {"max_distance": 1}}),
        ("GET", "/rest/v1/my_listings", {}),
        ("GET", "/rest/v1/my_interactions", {}),
        ("POST", "/rest/v1/listings", {"json": {"title": "Nobody's"}}),
        ("POST", "/rest/v1/rpc/upsert_listings", {"json": {"listings": []}}),
    ):
        refused(None, method, path, 401, headers=headers, **options)


@pytest.mark.parametrize(
    "role",
    [
        "postgres",
        "feed_owner",
        "feed_worker",
        "authenticator",
        "none",
        "pg_read_all_data",
        "nobody",
        "AUTHENTICATED",
        "authenticated, service_role",
        "",
        ["service_role"],
        {"role": "nobody"},
        5,
        None,
    ],
    ids=str,
)
def test_a_role_that_is_not_for_tokens(
    here: Town, instance: Instance, rest: httpx.Client, refused: Callable, role: object
) -> None:
    headers = bearer(made(by_secret(instance.secret), role=role))
    view = {"type": "view"}
    refused(None, "GET", "/api/v1/feed", 403, headers=headers)
    refused(None, "GET", "/rest/v1/trending", 403, headers=headers)
    refused(None, "POST", f"{TRACK}/{here.listing()}", 403, headers=headers, json=view)
    refused(None, "DELETE", f"{TRACK}/{NOBODY}", 403, headers=headers)
    # PostgREST 12 itself says 400 to a role that there is not: as little comes of it.
    assert rest.get("/trending", headers=headers).status_code in {400, 403}


def test_a_role_of_the_operators_own(
    here: Town, instance: Instance, refused: Callable, db: psycopg.Connection
) -> None:
    """The gateway has no list of roles: what PostgreSQL lets a token be, it may be."""
    token = made(by_secret(instance.secret), role="a_guest")
    refused(None, "GET", "/rest/v1/trending", 403, code="PT403", headers=bearer(token))
    db.execute("create role a_guest nologin; grant anon to a_guest; grant a_guest to authenticator")
    try:
        for method, path in (("GET", "/rest/v1/trending"), ("GET", "/rest/v1/listings?limit=1")):
            answer = here.call(None, method, path, headers=bearer(token))
            assert answer.status_code == 200, answer.text
        refused(None, "GET", "/api/v1/feed", 403, code="42501", headers=bearer(token))
        assert here.call(None, "GET", "/healthz", headers=bearer(token)).status_code == 200
    finally:
        db.execute("drop role a_guest")


def test_ordinary_tokens_are_not_asked_about() -> None:
    """By their text alone, however the claims before the role shift it in base64."""
    text = (REPOSITORY / "deploy/nginx.conf").read_text()
    block = re.search(r"map \$http_authorization \$has_known_role \{(.*?)\}", text, re.DOTALL)
    patterns = re.findall(r'"~(.+)" 1;', block[1])
    secret = by_secret("any secret will do here, since nobody is to believe it")

    def is_known(**claims: object) -> bool:
        token = made(secret, **claims)
        return any(re.search(pattern, f"Bearer {token}") for pattern in patterns)

    for before in ("", "1", "12", "123"):
        for role in ROLES:
            assert is_known(iss=before, role=role)
            assert is_known(iss=before, sub=ANN, exp=1, role=role)
        for role in ("anonymous", "anon, anon", "anon2", "Anon", "nobody", "", 5, ["anon"]):
            assert not is_known(iss=before, role=role)


@pytest.mark.parametrize("role", ["anon", ...])
def test_a_token_of_nobody(here: Town, instance: Instance, refused: Callable, role: object) -> None:
    """Without a role, or with anon, it is as good as none, whoever sub names."""
    headers = bearer(made(by_secret(instance.secret), role=role))
    view = {"type": "view"}
    assert here.call(None, "GET", "/rest/v1/trending", headers=headers).status_code == 200
    refused(None, "GET", "/api/v1/feed", 401, headers=headers)
    refused(None, "GET", "/rest/v1/my_listings", 401, headers=headers)
    refused(None, "POST", f"{TRACK}/{here.listing()}", 401, headers=headers, json=view)


def test_what_supabase_writes_into_a_token_is_no_obstacle(here: Town, instance: Instance) -> None:
    now = int(time.time())
    token = made(
        by_secret(instance.secret),
        aud="authenticated",
        iss="https://example.supabase.co/auth/v1",
        iat=now,
        nbf=now,
        session_id=str(uuid.uuid4()),
        app_metadata={"provider": "email", "role": "service_role"},
        user_metadata={"role": "service_role", "sub": NOBODY},
    )
    (row,) = here.call(None, "GET", "/api/v1/preferences", headers=bearer(token)).json()
    assert row["user_uid"] == ANN


def test_clocks_may_differ_a_little(here: Town, instance: Instance) -> None:
    token = made(by_secret(instance.secret), iat=soon(15), nbf=soon(15))
    assert here.call(None, "GET", "/api/v1/feed", headers=bearer(token)).status_code == 200


# ---------------------------------------------------------------- another key


def wait_for(gateway: httpx.Client, token: str, status: int) -> None:
    """PostgREST reads the file again a moment after it is told to."""
    for _ in range(100):
        answer = gateway.get("/api/v1/preferences", headers=bearer(token))
        if answer.status_code == status:
            return
        time.sleep(0.05)
    raise AssertionError(f"still {answer.status_code}: {answer.text}")


@pytest.fixture
def secret_file(
    instance: Instance, db: psycopg.Connection, gateway: httpx.Client
) -> Iterator[Path]:
    """The file of the instance's secret, as it was before when the test is over."""
    file = instance.home / "jwt.secret"
    former = file.read_text()
    yield file
    file.write_text(former)
    db.execute("notify pgrst, 'reload config'")
    wait_for(gateway, made(by_secret(former)), 200)


def test_the_key_is_changed_with_no_token_refused(
    instance: Instance, gateway: httpx.Client, secret_file: Path
) -> None:
    def believed(*tokens: str) -> list[int]:
        return [
            gateway.get("/api/v1/preferences", headers=bearer(token)).status_code
            for token in tokens
        ]

    before = secret_file.stat()
    first = instance.token(ANN)
    instance.bin("pgfeed", "rotate-key")
    second = instance.bin("pgfeed", "token", ANN).stdout.strip()
    wait_for(gateway, second, 200)
    assert believed(first, second) == [200, 200]

    # A second time before the first is finished: all three.
    instance.bin("pgfeed", "rotate-key")
    third = instance.token(ANN)
    wait_for(gateway, third, 200)
    assert believed(first, second, third) == [200, 200, 200]

    instance.bin("pgfeed", "rotate-key", "--finish")
    wait_for(gateway, first, 401)
    assert believed(first, second, third) == [401, 401, 200]
    after = secret_file.stat()
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)
    assert after.st_mode & 0o777 == 0o600
    # The file itself is no key.
    assert believed(made(by_secret(secret_file.read_text()))) == [401]


def openssl(*arguments: str | Path, text: bytes = b"") -> bytes:
    return subprocess.run(
        ["openssl", *map(str, arguments)], input=text, capture_output=True, check=True
    ).stdout


def test_a_public_key_does_not_sign(
    instance: Instance,
    db: psycopg.Connection,
    gateway: httpx.Client,
    secret_file: Path,
    tmp_path: Path,
) -> None:
    """A key set may hold an issuer's public key, beside ours; everybody knows it."""
    private = tmp_path / "private.pem"
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", private)
    modulus = openssl("rsa", "-in", private, "-noout", "-modulus").strip().split(b"=")[1]
    public = {"kty": "RSA", "alg": "RS256", "n": encoded(bytes.fromhex(modulus.decode()))}
    public |= {"e": "AQAB"}
    pem = openssl("pkey", "-in", private, "-pubout")
    ours = {"kty": "oct", "alg": "HS256", "k": encoded(instance.secret.encode())}
    old = made(by_secret(instance.secret))
    secret_file.write_text(json.dumps({"keys": [public, ours]}))
    db.execute("notify pgrst, 'reload config'")

    def by_issuer(text: bytes) -> bytes:
        return openssl("dgst", "-sha256", "-sign", private, text=text)

    wait_for(gateway, made(by_issuer, {"alg": "RS256", "typ": "JWT"}), 200)
    wait_for(gateway, old, 200)
    for known in (
        pem,
        pem.strip(),
        bytes.fromhex(modulus.decode()),
        public["n"].encode(),
        json.dumps(public).encode(),
        hashlib.sha256(pem).digest(),
        b"",
    ):
        for head in (HS256, {"alg": "RS256", "typ": "JWT"}):
            answer = gateway.get("/api/v1/feed", headers=bearer(made(by_secret(known), head)))
            assert_error(answer, 401)
