"""The local instance, as bin/pgfeed describes it in the environment."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import jwt

ROLES = ("anon", "authenticated", "service_role", "feed_analyst")


def signing_key(secret: str) -> str | bytes:
    """The key that signs: the secret as it is, or the first key of a JWK set."""
    return jwt.PyJWKSet.from_json(secret).keys[0].key if secret.startswith("{") else secret


def signed_token(
    secret: str,
    user_uid: str | None = None,
    role: str = "authenticated",
    valid_for: timedelta = timedelta(days=1),
) -> str:
    """A token as the gateway expects it: sub is the user, role the database role."""
    claims: dict[str, Any] = {"role": role, "exp": datetime.now(UTC) + valid_for}
    if user_uid is not None:
        claims["sub"] = user_uid
    return jwt.encode(claims, signing_key(secret), algorithm="HS256")


class RequestFailed(click.ClickException):
    """An answer that is an error; says what the server said."""


@dataclass(frozen=True)
class Instance:
    """Where the gateway listens, and the secret that signs tokens for it."""

    url: str
    secret: str

    @classmethod
    def from_environment(cls) -> "Instance":
        url = os.environ.get("PGFEED_URL", "")
        secret_file = Path(os.environ.get("PGFEED_SECRET_FILE", "jwt.secret"))
        if not secret_file.is_file():
            raise click.ClickException(f"there is no {secret_file} yet; run: make up")
        return cls(url, secret_file.read_text().strip())

    def get(self, path: str, token: str, **arguments: Any) -> Any:
        """The JSON that the gateway answers to a GET."""
        query = urllib.parse.urlencode(arguments)
        request = urllib.request.Request(
            f"{self.url}{path}?{query}", headers={"Authorization": f"Bearer {token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RequestFailed(f"HTTP {error.code} from {path}: {error.read().decode()}") from None
        except urllib.error.URLError as error:
            message = f"the gateway does not answer at {self.url} ({error.reason}); run: make up"
            raise RequestFailed(message) from None
