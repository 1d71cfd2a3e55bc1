"""Users, posters and listings for tests, made through the API as an application would."""

import itertools
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import httpx
import psycopg

from harness import Instance

# Towns are 4 degrees apart, at least 300 km: beyond everybody's max_distance.
_places = itertools.cycle(
    (float(latitude), float(longitude))
    for latitude in range(-40, 41, 4)
    for longitude in range(-176, 177, 4)
)

KM_PER_DEGREE = 111.195

COMPONENTS = (
    "location",
    "tag",
    "engagement",
    "recency",
    "poster",
    "collaborative",
    "content",
    "poster_affinity",
    "item_similarity",
)
# Those that the feed of the default profile shows.
SHOWN_COMPONENTS = COMPONENTS[:7]

KEPT = (
    "feed.ranking_profiles",
    "feed.interaction_weights",
    "feed.engagement_scale",
    "feed.block_parameters",
    "feed.ticket_keys",
    "feed.data_lifetimes",
    "ml.training_parameters",
    "analytics.targets",
    "analytics.refresh_parameters",
)


def tables(connection: psycopg.Connection, schemas: Iterable[str] = ("feed", "ml")) -> list[str]:
    """Tables and materialised views, partitioned ones by their parent."""
    rows = connection.execute(
        """
        select format('%%I.%%I', n.nspname, c.relname)
        from pg_class as c
        inner join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = any(%s) and c.relkind in ('r', 'p', 'm') and not c.relispartition
        order by 1
        """,
        (list(schemas),),
    )
    return [name for (name,) in rows]


def empty(connection: psycopg.Connection) -> None:
    """Takes all data out of a database, whatever its triggers say."""
    views = "feed.trending_listings"
    schemas = ("feed", "ml", "analytics")
    names = [name for name in tables(connection, schemas) if name not in (*KEPT, views)]
    with connection.transaction():
        connection.execute("set local session_replication_role = replica")
        # Numbers are not given twice: a session keeps vectors by the number of their model.
        connection.execute(f"truncate {', '.join(names)}")
        connection.execute("insert into ml.current_model default values")
        connection.execute("update feed.engagement_scale set ceiling = minimum_ceiling")
        connection.execute("update analytics.refresh_parameters set recounted_at = null")
    connection.execute(f"refresh materialized view {views}")


def fingerprint(connection: psycopg.Connection) -> dict[str, tuple[int, str]]:
    """Rows and checksum of every table: two are equal if nothing has changed in between."""
    query = " union all ".join(
        f"""
        select '{name}', count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text
        from {name} as t
        """
        for name in tables(connection)
    )
    return {name: (rows, checksum) for name, rows, checksum in connection.execute(query)}


def hours_ago(hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()


def assert_error(
    answer: httpx.Response, status: int, *, code: str | None = None, says: str = ""
) -> dict:
    """The answer is an error with a status, a code, a message and a hint."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"].startswith("application/json")
    error = answer.json()
    assert error["code"] and error["message"] and error["hint"], error
    assert code is None or error["code"] == code, error
    assert says in error["message"], error
    return error


class Town:
    """A place with users and listings of its own."""

    def __init__(self, instance: Instance, gateway: httpx.Client) -> None:
        self.instance = instance
        self.gateway = gateway
        self.lat, self.lon = next(_places)
        self.posted: list[str] = []
        self._poster: str | None = None

    # ------------------------------------------------------------------ calls

    def call(
        self, caller: object | None, method: str, path: str, **options: object
    ) -> httpx.Response:
        """A request of a user, of "service_role", or of nobody (None)."""
        headers = dict(options.pop("headers", {}))
        if caller == "service_role":
            headers |= self.instance.authorization(role="service_role")
        elif caller is not None:
            headers |= self.instance.authorization(caller)
        return self.gateway.request(method, path, headers=headers, **options)

    def ask(self, caller: object | None, path: str, **parameters: object) -> list | dict:
        answer = self.call(caller, "GET", path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def send(self, caller: object | None, path: str, **body: object) -> list | dict:
        answer = self.call(caller, "POST", path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    # ------------------------------------------------------------------ people and things

    def user(self, **fields: object) -> str:
        """A user at the town's centre who goes 50 km at most."""
        uid = str(uuid.uuid4())
        row = {"user_uid": uid, "lat": self.lat, "lon": self.lon, "max_distance": 50} | fields
        self.send("service_role", "/rest/v1/rpc/upsert_users", users=[row])
        return uid

    def poster(self, **fields: object) -> str:
        uid = str(uuid.uuid4())
        row = {"poster_uid": uid} | fields
        self.send("service_role", "/rest/v1/rpc/upsert_posters", posters=[row])
        return uid

    @property
    def some_poster(self) -> str:
        if self._poster is None:
            self._poster = self.poster()
        return self._poster

    def listing(self, title: str = "Listing", km: float | None = 1, **fields: object) -> str:
        return self.listings([{"title": title, "km": km} | fields])[0]

    def listings(self, rows: Iterable[dict]) -> list[str]:
        """Listings `km` to the north, or remote where km is None; with listing_id, changes."""
        batch = []
        for given in rows:
            new = {
                "listing_id": str(uuid.uuid4()),
                "poster_uid": self.some_poster,
                "title": "Listing",
            }
            row = given if "listing_id" in given else new | given
            km = row.get("km", 1)
            row = {name: value for name, value in row.items() if name != "km"}
            if km is not None:
                row |= {"lat": self.lat + km / KM_PER_DEGREE, "lon": self.lon}
            batch.append(row)
        answer = self.send("service_role", "/rest/v1/rpc/upsert_listings", listings=batch)
        self.posted += answer["listing_ids"]
        return answer["listing_ids"]

    def feed(self, user: str, **parameters: object) -> list[dict]:
        return self.ask(user, "/api/v1/feed", **parameters)

    def feed_ids(self, user: str, **parameters: object) -> list[str]:
        return [row["listing_id"] for row in self.feed(user, **parameters)]

    def track(self, user: str, listing: str, type: str, **body: object) -> dict:
        return self.send(user, f"/api/v1/feed/interactions/{listing}", type=type, **body)

    def close(self) -> None:
        """Remote listings would be in every feed: what was posted here is closed."""
        for start in range(0, len(self.posted), 1000):
            batch = [
                {"listing_id": listing, "status": "closed"}
                for listing in self.posted[start : start + 1000]
            ]
            self.send("service_role", "/rest/v1/rpc/upsert_listings", listings=batch)
