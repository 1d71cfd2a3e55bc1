"""The ranking in plain Python, written from the formula alone (docs/analysts/ranking.md).

It reads tables, not functions, and takes what the jobs stored as it is: engagement scores,
feature vectors, neighbors of users and of listings. What happened between users and listings
it takes from the log.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

EARTH_RADIUS_KM = 6371.0088
POINTS = {"apply": 10, "save": 5, "share": 3, "click": 2, "view": 1, "dismiss": -5}
WEIGHTS = {
    "location": 0.25,
    "tag": 0.20,
    "engagement": 0.15,
    "recency": 0.10,
    "poster": 0.10,
    "collaborative": 0.10,
    "content": 0.10,
    "poster_affinity": 0.0,
    "item_similarity": 0.0,
}


@dataclass
class Candidate:
    """One eligible listing of one user."""

    listing_id: UUID
    created_at: datetime
    components: dict[str, float]
    distance_km: float | None
    score: float


@dataclass
class Preferences:
    max_distance: float | None = None
    preferred_tags: set[str] = field(default_factory=set)
    blocked_tags: set[str] = field(default_factory=set)
    personalization: bool = True


class Oracle:
    """Everything that a database holds, and the feed that follows from it."""

    def __init__(self, connection: psycopg.Connection, weights: dict[str, float] = WEIGHTS) -> None:
        self.weights = weights

        def rows(query: str) -> list[tuple]:
            return connection.execute(query).fetchall()

        place = "ext.st_y(location::ext.geometry), ext.st_x(location::ext.geometry)"
        self.places = {uid: at(p) for uid, *p in rows(f"select user_uid, {place} from feed.users")}
        self.preferences = {
            uid: Preferences(distance, set(preferred), set(blocked), personal)
            for uid, distance, preferred, blocked, personal in rows(
                """
                select user_uid, max_distance, preferred_tags, blocked_tags,
                    personalization_enabled
                from feed.user_feed_preferences
                """
            )
        }
        self.posters = {
            uid: poster_score(*counts)
            for uid, *counts in rows(
                """
                select poster_uid, average_rating, rating_count, accepted_count, completed_count
                from feed.posters
                """
            )
        }
        self.listings = rows(
            f"""
            select listing_id, poster_uid, tags, status::text, created_at, expires_at, {place}
            from feed.listings
            """
        )
        self.engagement = dict(
            rows("select listing_id, engagement_score from feed.engagement_metrics")
        )
        self.log: dict[tuple[UUID, UUID], list[tuple[str, datetime]]] = defaultdict(list)
        for uid, listing_id, kind, time in rows(
            "select user_uid, listing_id, type::text, created_at from feed.user_interactions"
        ):
            self.log[uid, listing_id].append((kind, time))
        self.neighbors: dict[UUID, list[tuple[UUID, float]]] = defaultdict(list)
        for a, b, similarity in rows(
            "select user_a_uid, user_b_uid, similarity from feed.user_similarity_matrix"
        ):
            self.neighbors[a].append((b, similarity))
        self.related: dict[UUID, list[tuple[UUID, float]]] = defaultdict(list)
        for chosen, number, similarity in rows(
            """
            select a.listing_id, b.listing_id, n.similarities[k]
            from ml.listing_neighbors as n
            inner join ml.current_model using (model_id)
            inner join feed.listings as a using (listing_no)
            cross join generate_subscripts(n.neighbor_nos, 1) as k
            inner join feed.listings as b on b.listing_no = n.neighbor_nos[k]
            """
        ):
            self.related[chosen].append((number, similarity))
        self.poster_of = {row[0]: row[1] for row in self.listings}
        self.numbers = dict(rows("select listing_id, listing_no from feed.listings"))
        self.user_vectors = {
            uid: (tags, vector)
            for uid, tags, vector in rows(
                "select user_uid, tag_preference, feature_vector from feed.user_feature_vectors"
            )
        }
        self.listing_vectors = dict(
            rows("select listing_id, feature_vector from feed.listing_feature_vectors")
        )

    def feed(self, user: UUID, as_of: datetime) -> list[Candidate]:
        """Every eligible listing, best first."""
        wishes = self.preferences.get(user, Preferences())
        tags = self.tags_of(user, wishes)
        history = self.history(user, wishes, as_of)
        affinity = self.poster_affinity(history)
        similarity = self.item_similarity(history)
        candidates = []
        for (
            listing_id,
            poster,
            listing_tags,
            status,
            created_at,
            expires_at,
            *place,
        ) in self.listings:
            distance = distance_km(self.places.get(user), at(place))
            if (
                status != "open"
                or (expires_at is not None and expires_at <= as_of)
                or created_at > as_of
                or poster == user
                or wishes.blocked_tags & set(listing_tags)
                or (
                    distance is not None
                    and wishes.max_distance is not None
                    and distance > wishes.max_distance
                )
                or self.is_done_with(user, listing_id, as_of)
            ):
                continue
            age = max(as_of - created_at, timedelta())
            components = {
                "location": 0.5 if distance is None else math.exp(-distance / 25),
                "tag": jaccard(tags, set(listing_tags)),
                "engagement": self.engagement.get(listing_id, 0.0),
                "recency": 0.5 ** (age / timedelta(days=7)),
                "poster": self.posters.get(poster, poster_score(None, 0, 0, 0)),
                "collaborative": self.collaborative(user, wishes, listing_id, poster, as_of),
                "content": self.content(user, wishes, listing_id),
                "poster_affinity": affinity.get(poster, 0.0),
                "item_similarity": similarity.get(listing_id, 0.0),
            }
            score = sum(self.weights[name] * value for name, value in components.items())
            candidates.append(Candidate(listing_id, created_at, components, distance, score))
        return sorted(candidates, key=lambda c: (-c.score, -c.created_at.timestamp(), c.listing_id))

    def tags_of(self, user: UUID, wishes: Preferences) -> set[str]:
        if wishes.preferred_tags or not wishes.personalization:
            return wishes.preferred_tags
        learned, _ = self.user_vectors.get(user, ({}, None))
        liked = sorted((-weight, tag) for tag, weight in learned.items() if weight > 0)
        return {tag for _, tag in liked[:10]}

    def is_done_with(self, user: UUID, listing_id: UUID, as_of: datetime) -> bool:
        events = self.log.get((user, listing_id), [])
        if any(kind in ("apply", "dismiss") for kind, _ in events):
            return True
        latest = max((time for _, time in events), default=None)
        return latest is not None and as_of - timedelta(days=30) < latest <= as_of

    def collaborative(
        self, user: UUID, wishes: Preferences, listing_id: UUID, poster: UUID, as_of: datetime
    ) -> float:
        if not wishes.personalization:
            return 0.0
        neighbors = [
            (other, similarity)
            for other, similarity in self.neighbors[user]
            if similarity > 0 and self.preferences.get(other, Preferences()).personalization
        ]
        if not neighbors:
            return 0.0
        interest = sum(
            similarity * self.interest(other, listing_id, as_of)
            for other, similarity in neighbors
            if other != poster
        )
        return interest / sum(similarity for _, similarity in neighbors)

    def interest(self, user: UUID, listing_id: UUID, as_of: datetime) -> float:
        """What a pair's strongest interaction says, in [0,1]."""
        events = self.log.get((user, listing_id), [])
        if not events or any(kind == "dismiss" for kind, _ in events):
            return 0.0
        if not as_of - timedelta(days=90) < max(time for _, time in events) <= as_of:
            return 0.0
        return min(1.0, max(0.0, max(POINTS[kind] for kind, _ in events) / 10))

    def history(
        self, user: UUID, wishes: Preferences, as_of: datetime
    ) -> list[tuple[UUID, float, timedelta]]:
        """What the user chose, how much and how long ago; the latest first."""
        if not wishes.personalization:
            return []
        chosen = []
        for (somebody, listing_id), events in self.log.items():
            # A poster's own interactions say nothing about taste.
            if somebody != user or self.poster_of[listing_id] == user:
                continue
            points = max(POINTS[kind] for kind, _ in events)
            age = as_of - max(time for _, time in events)
            is_dismissed = any(kind == "dismiss" for kind, _ in events)
            if not is_dismissed and points > 0 and age >= timedelta():
                chosen.append((listing_id, min(1.0, points / 10), age))
        return sorted(chosen, key=lambda choice: (choice[2], self.numbers[choice[0]]))

    def poster_affinity(
        self, history: list[tuple[UUID, float, timedelta]]
    ) -> dict[UUID | None, float]:
        """a / (a + 1), a the interest in all of a poster's listings, halved every 90 days."""
        sums: dict[UUID | None, float] = defaultdict(float)
        for listing_id, interest, age in history:
            if self.poster_of[listing_id] is not None:
                sums[self.poster_of[listing_id]] += interest * 0.5 ** (age / timedelta(days=90))
        return {poster: total / (total + 1) for poster, total in sums.items()}

    def item_similarity(
        self, history: list[tuple[UUID, float, timedelta]], limit: int = 100
    ) -> dict[UUID, float]:
        """The mean similarity to the latest choices, each halved every 180 days."""
        latest = [
            (chosen, interest * 0.5 ** (age / timedelta(days=180)))
            for chosen, interest, age in history[:limit]
        ]
        sums: dict[UUID, float] = defaultdict(float)
        for chosen, weight in latest:
            for listing_id, similarity in self.related[chosen]:
                sums[listing_id] += similarity * weight
        total = sum(weight for _, weight in latest)
        return {listing_id: found / total for listing_id, found in sums.items()}

    def content(self, user: UUID, wishes: Preferences, listing_id: UUID) -> float:
        if not wishes.personalization:
            return 0.0
        _, mine = self.user_vectors.get(user, ({}, None))
        its = self.listing_vectors.get(listing_id)
        if mine is None or its is None:
            return 0.0
        lengths = math.sqrt(math.fsum(x * x for x in mine) * math.fsum(x * x for x in its))
        if lengths == 0:
            return 0.0
        return max(0.0, math.fsum(x * y for x, y in zip(mine, its, strict=True)) / lengths)


def at(place: list[float | None]) -> tuple[float, float] | None:
    latitude, longitude = place
    return None if latitude is None else (latitude, longitude)


def distance_km(a: tuple[float, float] | None, b: tuple[float, float] | None) -> float | None:
    """Great-circle distance, by the haversine formula."""
    if a is None or b is None:
        return None
    (lat1, lon1), (lat2, lon2) = ((math.radians(x), math.radians(y)) for x, y in (a, b))
    h = (
        math.sin((lat2 - lat1) / 2) ** 2
        + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(h)))


def jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b) if a and b else 0.0


def poster_score(rating: float | None, ratings: int, accepted: int, completed: int) -> float:
    r = 3.5 if rating is None else rating
    quality = ((r * ratings + 3.5 * 5) / (ratings + 5) - 1) / 4
    completion = (completed + 1) / (accepted + 2)
    experience = min(1.0, math.log1p(completed) / math.log(101))
    return 0.5 * quality + 0.3 * completion + 0.2 * experience
