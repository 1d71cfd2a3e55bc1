"""What fuzzing needs: a judge who holds every answer to the rules, and values nobody would send.

The judge does not stop at the first broken rule: it keeps the shortest request that broke each
one, so that one run tells all.
"""

import json
import random
import string
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import httpx
import psycopg
from hypothesis import strategies as st

from harness import Instance
from world import fingerprint

# A failure that the gateway documents as 503, as PostgreSQL's log tells it: too slow, or a body
# nested so deep that its parser gives up before any function of ours begins.
EXCUSES = ("canceling statement due to statement timeout", "stack depth limit exceeded")

READING = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Request:
    """A request as it goes over the wire, and who sends it."""

    caller: str
    method: str
    path: str
    headers: tuple[tuple[str, str | bytes], ...] = ()
    content: bytes = b""

    def __str__(self) -> str:
        headers = "".join(f" -H {name}: {value!r}" for name, value in self.headers)
        body = f" -d {self.content!r}" if self.content else ""
        return f"{self.caller}: {self.method} {self.path}{headers}{body}"


@dataclass
class Judge:
    """Sends requests, counts the answers, and keeps what broke a rule."""

    instance: Instance
    db: psycopg.Connection
    tokens: dict[str, dict[str, str]]
    """The request headers of each caller, by name."""
    secrets: tuple[str, ...] = ()
    """What belongs to somebody else: an answer may only say it to service_role."""
    belongings: Callable[[], object] = lambda: None
    """What somebody else owns: only service_role may change it."""
    statuses: Counter = field(default_factory=Counter)
    broken: dict[tuple[str, ...], str] = field(default_factory=dict)
    _state: dict | None = None

    def __post_init__(self) -> None:
        self.client = self.instance.client()
        self._log = self.instance.home / "log/postgres.log"
        self._owned = self.belongings()

    def send(self, request: Request) -> httpx.Response | None:
        """The answer, or None if the request is none that a client could put on the wire."""
        is_reading = request.method in READING
        before = None if is_reading else self._known_state()
        log_size = self._log.stat().st_size
        headers = [*self.tokens[request.caller].items(), *request.headers]
        try:
            url = self.client.base_url.copy_with(raw_path=request.path.encode("ascii"))
            answer = self.client.send(
                httpx.Request(request.method, url, headers=headers, content=request.content)
            )
        except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeEncodeError):
            return None
        except httpx.RemoteProtocolError as error:
            self.blame(request, "no answer", str(error))
            return None
        self.statuses[request.caller, answer.status_code] += 1
        self._judge(request, answer, log_size)
        if not is_reading:
            if answer.is_success:
                self._state = None
            elif self._known_state(fresh=True) != before:
                self.blame(request, "refused, but something was written", answer)
            owned = self.belongings()
            if owned != self._owned and request.caller != "service_role":
                self.blame(request, "somebody else's rows changed", answer)
            self._owned = owned
        return answer

    def verdict(self) -> str:
        """What was broken, shortest request first; empty if nothing was."""
        return "\n\n".join(f"{' / '.join(rule)}\n  {text}" for rule, text in self.broken.items())

    def summary(self) -> str:
        """Requests by caller and status."""
        lines = [f"{self.statuses.total():,} requests"]
        for caller in self.tokens:
            found = {s: n for (who, s), n in sorted(self.statuses.items()) if who == caller}
            lines.append(f"  {caller}: " + ", ".join(f"{s} x {n:,}" for s, n in found.items()))
        return "\n".join(lines)

    def _known_state(self, fresh: bool = False) -> dict:
        if fresh or self._state is None:
            self._state = fingerprint(self.db)
        return self._state

    def _judge(self, request: Request, answer: httpx.Response, log_size: int) -> None:
        if answer.status_code >= 500:
            errors = self._errors_since(log_size)
            if answer.status_code != 503 or not any(e in errors for e in EXCUSES):
                self.blame(request, f"a {answer.status_code}", errors or answer)
        if answer.is_error and request.method != "HEAD":
            problem = not_the_house_form(answer)
            if problem and not is_nginx_own(request, answer):
                self.blame(request, problem, answer)
        if request.caller != "service_role":
            said = f"{request} {urllib.parse.unquote(request.path)}"
            for secret in self.secrets:
                if secret in answer.text and secret not in said:
                    self.blame(request, "an answer with somebody else's data", answer)

    def _errors_since(self, size: int) -> str:
        with self._log.open(errors="replace") as log:
            log.seek(size)
            return "\n".join(line for line in log if " ERROR:  " in line or " FATAL:  " in line)

    def blame(self, request: Request, rule: str, answer: httpx.Response | str) -> None:
        """Keeps the shortest request that broke a rule in one way."""
        if isinstance(answer, str):
            said = kind = answer.partition("ERROR:  ")[2] or answer
        else:
            said = f"{answer.status_code} {answer.text[:300]}"
            kind = str(answer.status_code)
        key = (rule, request.method, urllib.parse.urlsplit(request.path).path[:60], kind[:60])
        text = f"{str(request)[:1500]}\n  {said[:500]}"
        known = self.broken.get(key)
        if known is None and len(self.broken) >= 40:
            return
        if known is None or len(text) < len(known):
            self.broken[key] = text


def check_counters(db: psycopg.Connection) -> None:
    """Every counter is the recount of the log, every event has one key."""
    (drifted,) = db.execute(
        """
        select count(*)
        from feed.engagement_metrics as m
        full join feed.expected_engagement as e using (listing_id)
        where
            (coalesce(m.view_count, 0), coalesce(m.click_count, 0), coalesce(m.apply_count, 0),
             coalesce(m.save_count, 0), coalesce(m.share_count, 0),
             coalesce(m.dismiss_count, 0))
            <> (coalesce(e.view_count, 0), coalesce(e.click_count, 0),
                coalesce(e.apply_count, 0), coalesce(e.save_count, 0),
                coalesce(e.share_count, 0), coalesce(e.dismiss_count, 0))
        """
    ).fetchone()
    assert drifted == 0
    (loose,) = db.execute(
        """
        select count(*)
        from feed.interaction_keys as k
        full join feed.user_interactions as i using (user_uid, event_id)
        where k.created_at is distinct from i.created_at
        """
    ).fetchone()
    assert loose == 0


def is_nginx_own(request: Request, answer: httpx.Response) -> bool:
    """Is it no HTTP to nginx (a NUL in the path, .. above its root)? Then it answers itself."""
    path = urllib.parse.urlsplit(request.path).path
    return answer.status_code == 400 and ("%00" in path or path.startswith("/%2e%2e"))


def not_the_house_form(answer: httpx.Response) -> str | None:
    """What an error lacks: JSON with a code, a message and a hint."""
    kinds = ("application/json", "application/vnd.pgrst.object+json")
    if not answer.headers.get("content-type", "").startswith(kinds):
        return f"an error as {answer.headers.get('content-type')}"
    try:
        error = answer.json()
    except ValueError:
        return "an error that is no JSON"
    for name in ("code", "message", "hint"):
        if not isinstance(error, dict) or not isinstance(error.get(name), str) or not error[name]:
            return f"an error without {name}"
    return None


# ---------------------------------------------------------------------- values

NASTY_TEXTS = (
    *("", " ", "\0", "\n", "\r\nX-Evil: 1", "\t", "null", "NULL", "{}", "[]", "()", "*", "%", "\\"),
    *("'", '"', "';--", "') or true--", "$1", "%s", "{0}", "a,b", "(a,b)", "{a,b}", "{{a},{b}}"),
    *("true", "-0", "NaN", "Infinity", "-Infinity", "1e400", "1e-400", "0x10", "１２", "١٢"),
    *("2147483648", "-2147483649", "9223372036854775808", "1" * 400, "1e131073", "1.5", ".5", "5."),
    *("now", "infinity", "-infinity", "epoch", "today", "0000-00-00", "2026-02-30T00:00:00Z"),
    *("294277-01-01T00:00:00Z", "0001-01-01T00:00:00Z BC", "2026-01-01", "2026-01-01T00:00:00Z"),
    *(
        "é",
        "e\u0301",
        "İ",
        "ẞ",
        "\u200b",
        "\u2028",
        "\ufeff",
        "\uffff",
        "💥",
        "\u202eabc",
        "\ud800",
    ),
    *(
        "a" * 301,
        "tag" * 2000,
        "💥" * 2000,
        "../../etc/passwd",
        "<script>",
        "${jndi:x}",
        "feed.users",
    ),
    *("http://x", "http://x y", "javascript:x", "closed", "open", "EUR", "eur", "view", "like"),
    # What no compression makes small enough for an index.
    "".join(random.Random(1).choices(string.ascii_letters, k=9000)),
)

UNKNOWN_UID = "99999999-9999-4999-8999-999999999999"

texts = st.one_of(
    st.sampled_from(NASTY_TEXTS),
    st.text(max_size=12),
    st.text("ab%_,.()[]{}:;&=#+ /?*'\"\\\0\n", max_size=12),
)
numbers = st.one_of(
    st.sampled_from((0, -1, 1, 5, 50, 200, 201, 1000, 2**31 - 1, 2**31, 2**63, 10**30, 10**400)),
    st.sampled_from((0.5, 1.5, -0.0, 90.0, 90.0000001, 180, -181, 86400.5, 1e15, 1e308, 5e-324)),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)
leaves = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=5,
)


def nested(depth: int) -> bytes:
    """An array in an array in an array."""
    return b"[" * depth + b"]" * depth


def as_json(value: object) -> bytes:
    """JSON as a careless client writes it: NaN and lone surrogates included."""
    return json.dumps(value).encode()


def broken_json(value: object) -> st.SearchStrategy[bytes]:
    """The value as JSON that went wrong on the way."""
    good = as_json(value)
    return st.one_of(
        st.integers(0, len(good)).map(lambda cut: good[:cut]),
        st.sampled_from(
            (
                b"",
                b"null",
                b"\xff\xfe" + good,
                b"\xef\xbb\xbf" + good,
                good + good,
                good.replace(b'"', b"'"),
                good.replace(b'"', b'"\xc3\x28'),
                good.decode().encode("utf-16"),
                b"x=1&y=2",
                b"a,b\n1,2\n",
                nested(100),
                nested(20_000),
            )
        ),
        st.binary(max_size=40),
    )


def objects(fields: dict[str, st.SearchStrategy], *, at_most: int = 6) -> st.SearchStrategy[dict]:
    """Some of the fields, each with a value that fits or any at all; at times an unknown one."""
    known = st.sampled_from(sorted(fields)).flatmap(
        lambda name: st.tuples(st.just(name), st.one_of(fields[name], fields[name], values))
    )
    unknown = st.tuples(texts, values)
    pair = st.one_of(known, known, known, known, known, unknown)
    return st.lists(pair, max_size=at_most).map(dict)


# ---------------------------------------------------------------------- PostgREST's language

OPERATORS = (
    *("eq", "gt", "gte", "lt", "lte", "neq", "like", "ilike", "match", "imatch", "in", "is", ""),
    *("isdistinct", "fts", "plfts", "phfts", "wfts", "cs", "cd", "ov", "sl", "sr", "nxr", "nxl"),
    *("adj", "not.eq", "not.in", "not.is", "eq(any)", "like(all)", "fts(english)", "bogus"),
    "plfts(klingon)",
)
CASTS = ("", "", "", "::text", "::integer", "::jsonb", "::feed.users", "::regclass", "::klingon")
SAFE = string.ascii_letters + string.digits + "-._~"


def quoted(text: str) -> str:
    """Percent-encoded, lone surrogates as their bytes."""
    return urllib.parse.quote(text.encode("utf-8", "surrogatepass"), safe="(),.:*->{}!")


def filters(fitting: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """The right side of column=…."""
    value = st.one_of(fitting, texts, fitting.map(lambda text: f"({text},{text})"))
    return st.builds(
        lambda operator, text: f"{operator}.{text}" if operator else text,
        st.sampled_from(OPERATORS),
        value,
    )


def queries(columns: Iterable[str], fitting: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A query string: filters, logic, select with embedding and casts, order, paging."""
    names = st.sampled_from((*columns, "colour", "listing_no", "attributes->a->>b", "", "*"))
    item = st.one_of(
        st.tuples(names, st.sampled_from(CASTS)).map("".join),
        names.map(lambda name: f"x:{name}"),
        names.map(lambda name: f"{name}.sum()"),
        st.sampled_from(("*", "count()", "posters(*)", "...listings(*)", "listings!inner(title)")),
        texts,
    )
    condition = st.tuples(names, filters(fitting)).map(".".join)
    parameter = st.one_of(
        st.tuples(names, filters(fitting)),
        st.tuples(names, filters(fitting)),
        st.tuples(
            st.sampled_from(("or", "and", "not.or", "not.and")),
            st.lists(condition, max_size=3).map(lambda many: f"({','.join(many)})"),
        ),
        st.tuples(st.just("select"), st.lists(item, max_size=4).map(",".join)),
        st.tuples(
            st.just("order"),
            st.tuples(
                names, st.sampled_from(("", ".desc", ".asc.nullsfirst", ".desc.nullslast", ".up"))
            ).map("".join),
        ),
        st.tuples(st.sampled_from(("limit", "offset")), st.one_of(numbers.map(str), texts)),
        st.tuples(st.sampled_from(("columns", "on_conflict")), names),
        st.tuples(texts, texts),
    )
    return st.lists(parameter, max_size=4).map(
        lambda many: "&".join(f"{quoted(name)}={quoted(value)}" for name, value in many)
    )


_header_texts = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20
).map(lambda text: text.strip().encode("latin-1"))

PREFERENCES = (
    *("return=representation", "return=minimal", "return=headers-only", "count=exact"),
    *("count=planned", "count=estimated", "resolution=merge-duplicates", "missing=default"),
    *(
        "resolution=ignore-duplicates",
        "tx=rollback",
        "tx=commit",
        "handling=strict",
        "timezone=Mars",
    ),
    *("handling=strict, timezone=UTC", "max-affected=0", "params=single-object", "params=x", "?"),
)
ACCEPTS = (
    *("application/json", "text/csv", "application/vnd.pgrst.object+json", "*/*", "text/html"),
    *("application/vnd.pgrst.plan+json", "application/geo+json", "application/octet-stream"),
    *(
        "application/openapi+json",
        "application/vnd.pgrst.array+json;nulls=stripped",
        "x",
        "image/*",
    ),
)
CONTENT_TYPES = (
    *("application/json", "application/json; charset=utf-8", "text/csv", "text/plain", "text/xml"),
    *("application/x-www-form-urlencoded", "application/octet-stream", "multipart/form-data", "x"),
)

headers = st.lists(
    st.one_of(
        st.tuples(st.just("Prefer"), st.sampled_from(PREFERENCES)),
        st.tuples(st.just("Accept"), st.sampled_from(ACCEPTS)),
        st.tuples(
            st.just("Range"),
            st.one_of(
                st.sampled_from(("0-4", "5-1", "0-", "-5", "items=0-1", "99999999999999999999-")),
                _header_texts,
            ),
        ),
        st.tuples(
            st.sampled_from(("Accept-Profile", "Content-Profile")),
            st.sampled_from(("public", "api", "feed", "ops", "pg_catalog", "API", "")),
        ),
        st.tuples(
            st.sampled_from(("X-Listing-Id", "X-Feed-Limit", "Cookie", "User-Agent", "Origin")),
            _header_texts,
        ),
        st.tuples(
            st.sampled_from(("X-HTTP-Method-Override", "Range-Unit", "If-None-Match", "X-Odd")),
            st.sampled_from(("DELETE", "items", '"x"', "http://evil.example", "é".encode())),
        ),
    ),
    max_size=3,
    unique_by=lambda header: header[0],
).map(tuple)
