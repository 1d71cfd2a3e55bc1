"""Who asks over HTTP, as any user, by one connection that is kept."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from dataclasses import dataclass
from email.message import Message

from pgfeed.instance import signed_token


@dataclass(frozen=True)
class Answer:
    """What a server says."""

    status: int
    headers: Message
    body: bytes


class Client:
    """One kept connection to a gateway or a PostgREST."""

    def __init__(self, url: str, secret: str) -> None:
        parts = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
        self.secret = secret
        self.tokens: dict[object, str] = {}

    def token(self, user: object) -> str:
        """Made once, before what is timed."""
        if user not in self.tokens:
            self.tokens[user] = signed_token(self.secret, str(user))
        return self.tokens[user]

    def ask(
        self, user: object, method: str, path: str, body: object = None, **headers: str
    ) -> Answer:
        """Asks as the user; raises OSError or HTTPException where nobody answers."""
        headers = {"Authorization": f"Bearer {self.token(user)}"} | headers
        if body is not None:
            headers["Content-Type"] = "application/json"
        self.connection.request(method, path, body and json.dumps(body), headers)
        answer = self.connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def read(self, user: object, path: str, **headers: str) -> Answer:
        """Asks for what must be there; raises RuntimeError if it is not."""
        answer = self.ask(user, "GET", path, **headers)
        if answer.status != 200:
            raise RuntimeError(f"HTTP {answer.status} from {path}: {answer.body[:200]!r}")
        return answer
