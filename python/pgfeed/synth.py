"""A synthetic world: users, posters, listings and what people did with them, as arrays.

Pure numpy, no database: the same scale and seed give the same world to the last bit.
Time runs on a fixed clock: 90 days of history end at END; whoever stores the world shifts
it so that END is now. docs/dba/synthetic-world.md describes the structure and its figures.

The structure is what ranking is supposed to find: people act near home, on topics they like,
within the hidden scene of a topic that they belong to, on fresh listings, and more on those
of good posters. Nothing here looks at the ranking formula.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgfeed.synth_vocabulary import CITIES, MANNERS, TOPIC_GROUPS, TOPICS

END = int(np.datetime64("2026-01-01T00:00:00", "us").astype(np.int64))
"""The world's last instant, in microseconds since 1970."""

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
HISTORY_DAYS = 90
START = END - HISTORY_DAYS * DAY
LONGEST_WINDOW = 110 * DAY
"""The oldest listings were made 20 days before the first interaction."""

VIEW, CLICK, APPLY, SAVE, SHARE, DISMISS = range(6)
TYPES = ("view", "click", "apply", "save", "share", "dismiss")
"""Labels of feed.interaction_type; an event's type is a position in this."""

LARGEST_CITY_SHARE = 0.08
REMOTE = -1
"""City of a listing that takes place nowhere in particular."""

TOPIC_COUNT = len(TOPICS)
SCENE_COUNT = 3
TAGS_A_TOPIC = 9
MOST_TAGS = 12
GROUP_SIZE = len(TOPIC_GROUPS[0])
FIRST_SCENE_TAG = TOPIC_COUNT
FIRST_MANNER_TAG = TOPIC_COUNT * (1 + TAGS_A_TOPIC)
KM_A_DEGREE = 111.195


class Scale(NamedTuple):
    """How much of everything; cities are the first of synth_vocabulary.CITIES."""

    number: int
    users: int
    listings: int
    interactions: int
    cities: int
    impressions: int = 0


SCALES = {
    "tiny": Scale(0, 200, 2_000, 20_000, 24, 20_000),
    "small": Scale(1, 10_000, 100_000, 1_000_000, 64, 200_000),
    "medium": Scale(2, 100_000, 1_000_000, 10_000_000, 96, 1_000_000),
}

PROFILES = ("default", "nearby")
"""Ranking profiles by which feeds were ranked; an impression's profile is a position in this."""


@dataclass(frozen=True)
class Users:
    """Arrays of n users. Places in degrees, NaN where unknown; times in us since 1970."""

    uid: NDArray[np.uint8]
    """(n, 16) bytes of the uuid."""
    city: NDArray[np.int16]
    """Home, also of those whose location nobody knows."""
    home_lat: NDArray[np.float64]
    home_lon: NDArray[np.float64]
    has_location: NDArray[np.bool_]
    created_at: NDArray[np.int64]
    preferred_tags: NDArray[np.int16]
    """(n, 8) positions in TAGS, -1 for none."""
    blocked_tags: NDArray[np.int16]
    """(n, 2) positions in TAGS, -1 for none."""
    max_distance: NDArray[np.float64]
    """km, NaN for no limit."""
    personalization_enabled: NDArray[np.bool_]
    taste: NDArray[np.float32]
    """(n, topics) share of attention, rows sum to 1; hidden."""
    scene: NDArray[np.int8]
    """(n, topics) the scene of each topic that the user belongs to; hidden."""

    def __len__(self) -> int:
        return len(self.uid)


@dataclass(frozen=True)
class Posters:
    """Arrays of the users who post."""

    user: NDArray[np.int32]
    """Row in Users."""
    quality: NDArray[np.float64]
    """In [0,1]; hidden, but it shows in the figures below."""
    average_rating: NDArray[np.float64]
    """1 to 5, NaN where nobody rated."""
    rating_count: NDArray[np.int32]
    accepted_count: NDArray[np.int32]
    completed_count: NDArray[np.int32]
    topics: NDArray[np.int8]
    """(n, 2) what the poster mostly offers; hidden."""
    activity: NDArray[np.float64]
    """Share of the city's listings, unnormalised; hidden."""

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True)
class Listings:
    """Arrays of n listings, oldest first."""

    uid: NDArray[np.uint8]
    poster: NDArray[np.int32]
    """Row in Posters."""
    city: NDArray[np.int16]
    """REMOTE for none."""
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    topic: NDArray[np.int8]
    scene: NDArray[np.int8]
    manner: NDArray[np.int8]
    tags: NDArray[np.int16]
    """(n, 12) positions in TAGS, -1 for none."""
    compensation: NDArray[np.float64]
    """NaN for none."""
    created_at: NDArray[np.int64]
    expires_at: NDArray[np.int64]
    """NEVER for none."""
    closes_at: NDArray[np.int64]
    """When the poster takes it down; NEVER for not at all."""
    places: NDArray[np.int16]
    appeal: NDArray[np.float64]
    """How much it draws people; hidden."""

    def __len__(self) -> int:
        return len(self.uid)

    def ends_at(self) -> NDArray[np.int64]:
        """The first instant at which nobody can find it."""
        return np.minimum(self.expires_at, self.closes_at)

    def take(self, rows: slice) -> "Listings":
        """Some of them."""
        return Listings(**{name: values[rows] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Events:
    """Arrays of interactions, in time order."""

    user: NDArray[np.int32]
    listing: NDArray[np.int32]
    type: NDArray[np.int8]
    created_at: NDArray[np.int64]
    seconds: NDArray[np.int32]
    """How long a view lasted; -1 for other types."""

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: NDArray | slice) -> "Events":
        """Those rows (a mask, positions or a slice)."""
        return Events(**{name: values[rows] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Impressions:
    """Arrays of what feeds showed, in time order. Feeds were recorded for a part of the visits."""

    user: NDArray[np.int32]
    listing: NDArray[np.int32]
    position: NDArray[np.int32]
    """From 1, without gaps within a feed."""
    profile: NDArray[np.int8]
    score: NDArray[np.float64]
    created_at: NDArray[np.int64]
    """When the feed was given: the same for all of its rows, and no two feeds of a user."""

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: NDArray | slice) -> "Impressions":
        """Those rows (a mask, positions or a slice)."""
        return Impressions(**{name: values[rows] for name, values in vars(self).items()})


@dataclass(frozen=True)
class World:
    """Everything, with the instant up to which it is told."""

    scale: str
    seed: int
    until: int
    users: Users
    posters: Posters
    listings: Listings
    events: Events
    impressions: Impressions


NEVER = np.iinfo(np.int64).max


def make_world(scale: str, seed: int = 1) -> World:
    """The world of a scale (a key of SCALES) and a seed, told to its END."""
    size = SCALES[scale]

    def stream(number: int) -> np.random.Generator:
        return np.random.default_rng([seed, size.number, number])

    shares = city_shares(size.cities)
    users = _make_users(stream(1), size, shares)
    posters = _make_posters(stream(2), size, users)
    listings = _make_listings(stream(3), size, shares, users, posters)
    events = _make_events(stream(4), size, shares, users, posters, listings)
    impressions = _make_impressions(stream(5), size, users, posters, listings, events)
    return World(scale, seed, END, users, posters, listings, events, impressions)


def hold_out(world: World, days: float) -> tuple[World, Events]:
    """The world as it stood `days` before its end, and what happened afterwards.

    Listings that came later are left out, and so are held-out events on them: what is held
    out could have been recommended at the cut-off.
    """
    until = int(world.until - days * DAY)
    listing_count = int(np.searchsorted(world.listings.created_at, until, side="right"))
    is_past = world.events.created_at <= until
    is_held_out = ~is_past & (world.events.listing < listing_count)
    was_shown = world.impressions.created_at <= until
    past = replace(
        world,
        until=until,
        listings=world.listings.take(slice(listing_count)),
        events=world.events.take(is_past),
        impressions=world.impressions.take(was_shown),
    )
    return past, world.events.take(is_held_out)


def city_shares(count: int) -> NDArray[np.float64]:
    """Shares of `count` cities, 1/rank^a with a such that the largest has 8 %."""
    ranks = np.arange(1, count + 1, dtype=np.float64)
    low, high = 0.0, 3.0
    for _ in range(60):
        exponent = (low + high) / 2
        if 1 / np.sum(ranks**-exponent) < LARGEST_CITY_SHARE:
            low = exponent
        else:
            high = exponent
    weights = ranks**-exponent
    return weights / weights.sum()


def uuids(rng: np.random.Generator, count: int) -> NDArray[np.uint8]:
    """(count, 16) bytes of random uuids, version 4."""
    values = rng.integers(0, 256, size=(count, 16), dtype=np.uint8)
    values[:, 6] = (values[:, 6] & 0x0F) | 0x40
    values[:, 8] = (values[:, 8] & 0x3F) | 0x80
    return values


def distance_km(
    lat_a: NDArray[np.float64],
    lon_a: NDArray[np.float64],
    lat_b: NDArray[np.float64],
    lon_b: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Distances on a plane that touches the earth between a and b: good enough to invent by."""
    north = (lat_a - lat_b) * KM_A_DEGREE
    east = (lon_a - lon_b) * KM_A_DEGREE * np.cos(np.radians((lat_a + lat_b) / 2))
    return np.hypot(north, east)


def _quota(rng: np.random.Generator, shares: NDArray[np.float64], count: int) -> NDArray[np.int16]:
    """`count` shuffled city numbers, each city with its share (rounded), none left out."""
    bounds = np.rint(np.cumsum(shares) * count).astype(np.int64)
    cities = np.searchsorted(bounds, np.arange(count), side="right").astype(np.int16)
    return rng.permutation(cities)


def _places(
    rng: np.random.Generator, shares: NDArray[np.float64], city: NDArray[np.int16]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places around the centres: three in four in the town, the others in its suburbs."""
    centres = np.array([(lat, lon) for _, lat, lon in CITIES[: len(shares)]])
    spread = 2.5 + 5.5 * np.sqrt(shares / LARGEST_CITY_SHARE)
    spread_km = spread[city] * np.where(rng.random(len(city)) < 0.75, 1.0, 2.2)
    lat = centres[city, 0] + rng.standard_normal(len(city)) * spread_km / KM_A_DEGREE
    lon = centres[city, 1] + rng.standard_normal(len(city)) * spread_km / (
        KM_A_DEGREE * np.cos(np.radians(centres[city, 0]))
    )
    return np.round(lat, 5), np.round(lon, 5)


def _make_users(rng: np.random.Generator, size: Scale, shares: NDArray[np.float64]) -> Users:
    count = size.users
    city = _quota(rng, shares, count)
    lat, lon = _places(rng, shares, city)

    # A taste: two to four topics, most of them from one or two groups.
    group_count = len(TOPIC_GROUPS)
    groups = np.stack(
        [rng.integers(0, group_count, count), rng.integers(0, group_count, count)], axis=1
    )
    taste = np.zeros((count, TOPIC_COUNT), dtype=np.float32)
    rows = np.arange(count)
    for rank, share in enumerate((1.0, 0.6, 0.35, 0.2)):
        group = groups[rows, (rng.random(count) < 0.3).astype(np.int64)]
        group = np.where(rng.random(count) < 0.12, rng.integers(0, group_count, count), group)
        topic = group * GROUP_SIZE + rng.integers(0, GROUP_SIZE, count)
        has_it = np.ones(count, dtype=bool) if rank < 2 else rng.random(count) < 0.6
        np.add.at(taste, (rows[has_it], topic[has_it]), share)
    taste /= taste.sum(axis=1, keepdims=True)
    # Whoever shares a group's first scene tends to share the others: scenes are communities.
    community = rng.integers(0, SCENE_COUNT, (count, group_count))
    scene = np.repeat(community, GROUP_SIZE, axis=1)
    strays = rng.random((count, TOPIC_COUNT)) < 0.25
    scene = np.where(strays, rng.integers(0, SCENE_COUNT, scene.shape), scene).astype(np.int8)

    # Before the history begins for most, within it for the others.
    created_at = np.where(
        rng.random(count) < 0.7,
        START - (rng.random(count) * 300 * DAY).astype(np.int64),
        START + (rng.random(count) ** 1.3 * (HISTORY_DAYS - 3) * DAY).astype(np.int64),
    )
    created_at -= created_at % SECOND

    return Users(
        uid=uuids(rng, count),
        city=city,
        home_lat=lat,
        home_lon=lon,
        has_location=rng.random(count) >= 0.06,
        created_at=created_at,
        preferred_tags=_preferred_tags(rng, taste, scene),
        blocked_tags=_blocked_tags(rng, taste),
        max_distance=np.where(
            rng.random(count) < 0.2, rng.choice([10.0, 20.0, 30.0, 50.0, 100.0], count), np.nan
        ),
        personalization_enabled=rng.random(count) >= 0.03,
        taste=taste,
        scene=scene,
    )


def _preferred_tags(
    rng: np.random.Generator, taste: NDArray[np.float32], scene: NDArray[np.int8]
) -> NDArray[np.int16]:
    """(n, 8): names of the two strongest topics and tags of the user's scenes; 45 % say nothing."""
    count = len(taste)
    rows = np.arange(count)
    strongest = np.argsort(-taste, axis=1, kind="stable")[:, :2]
    tags = np.full((count, 8), -1, dtype=np.int16)
    for rank in range(2):
        topic = strongest[:, rank]
        tags[:, rank * 4] = topic
        for place in range(3):
            tag = scene_tag(topic, scene[rows, topic], place)
            tags[:, rank * 4 + 1 + place] = np.where(rng.random(count) < 0.6, tag, -1)
    tags[taste[rows, strongest[:, 1]] == 0, 4:] = -1
    tags[rng.random(count) < 0.45] = -1
    return tags


def _blocked_tags(rng: np.random.Generator, taste: NDArray[np.float32]) -> NDArray[np.int16]:
    """(n, 2): topics that one user in twelve will not see; never one that the user likes."""
    count = len(taste)
    tags = rng.integers(0, TOPIC_COUNT, (count, 2)).astype(np.int16)
    tags[np.take_along_axis(taste, tags.astype(np.int64), axis=1) > 0] = -1
    tags[rng.random(count) >= 1 / 12] = -1
    tags[rng.random(count) < 0.5, 1] = -1
    return tags


def scene_tag(topic: NDArray, scene: NDArray, place: int) -> NDArray[np.int64]:
    """Position in TAGS of the place-th (0 to 2) tag of a topic's scene."""
    return FIRST_SCENE_TAG + topic.astype(np.int64) * TAGS_A_TOPIC + scene * 3 + place


def _make_posters(rng: np.random.Generator, size: Scale, users: Users) -> Posters:
    """One user in sixteen, at least one a city."""
    order = np.argsort(users.city, kind="stable")
    city = users.city[order]
    place_in_city = np.arange(len(order)) - np.searchsorted(city, city)
    user = np.sort(order[place_in_city % 16 == 0]).astype(np.int32)
    count = len(user)

    quality = rng.beta(2.5, 2.0, count)
    rating_count = np.where(rng.random(count) < 0.1, 0, rng.geometric(0.06, count)).astype(np.int32)
    noise = rng.standard_normal(count) / np.sqrt(rating_count + 1)
    rating = np.clip(np.round(2.2 + 2.8 * quality + 0.6 * noise, 2), 1, 5)
    accepted_count = np.floor(rng.lognormal(2.5, 1.0, count)).astype(np.int32)
    return Posters(
        user=user,
        quality=quality,
        average_rating=np.where(rating_count > 0, rating, np.nan),
        rating_count=rating_count,
        accepted_count=accepted_count,
        completed_count=rng.binomial(accepted_count, 0.4 + 0.58 * quality).astype(np.int32),
        topics=rng.integers(0, TOPIC_COUNT, (count, 2)).astype(np.int8),
        activity=rng.lognormal(0.0, 0.8, count),
    )


def _make_listings(
    rng: np.random.Generator,
    size: Scale,
    shares: NDArray[np.float64],
    users: Users,
    posters: Posters,
) -> Listings:
    count = size.listings
    city = _quota(rng, shares, count)
    lat, lon = _places(rng, shares, city)
    poster = _choose_posters(rng, city, users, posters)
    topic = np.where(
        rng.random(count) < 0.7,
        posters.topics[poster, (rng.random(count) < 0.35).astype(np.int64)],
        rng.integers(0, TOPIC_COUNT, count),
    ).astype(np.int8)
    scene = rng.integers(0, SCENE_COUNT, count).astype(np.int8)
    manner = np.where(rng.random(count) < 0.65, rng.integers(0, len(MANNERS), count), -1)
    is_remote = rng.random(count) < 0.07

    is_paid = np.array([t.is_paid for t in TOPICS])[topic]
    rate = rng.lognormal(4.2, 0.5, TOPIC_COUNT)[topic]
    pay = np.round(rate * rng.lognormal(0.0, 0.35, count), 0)
    has_pay = rng.random(count) < np.where(is_paid, 0.95, 0.25)

    created_at = np.sort(END - (rng.random(count) * LONGEST_WINDOW).astype(np.int64))
    created_at -= created_at % SECOND
    lifetime = ((10 + 110 * rng.random(count)) * DAY).astype(np.int64)
    expires_at = np.where(rng.random(count) < 0.4, created_at + lifetime, NEVER)
    expires_at = np.where(expires_at == NEVER, NEVER, expires_at - expires_at % HOUR)
    until_closed = (rng.exponential(25, count) * DAY + HOUR).astype(np.int64)
    closes_at = np.where(rng.random(count) < 0.12, created_at + until_closed, NEVER)

    quality = posters.quality[poster]
    pay_pull = np.where(has_pay & is_paid, np.clip(pay / rate, 0.4, 2.5), 1.0)
    appeal = rng.lognormal(0.0, 0.9, count) * (0.3 + 1.4 * quality) * np.sqrt(pay_pull)

    return Listings(
        uid=uuids(rng, count),
        poster=poster,
        city=np.where(is_remote, REMOTE, city).astype(np.int16),
        lat=np.where(is_remote, np.nan, lat),
        lon=np.where(is_remote, np.nan, lon),
        topic=topic,
        scene=scene,
        manner=manner.astype(np.int8),
        tags=_listing_tags(rng, topic, scene, manner),
        compensation=np.where(has_pay, pay, np.nan),
        created_at=created_at,
        expires_at=expires_at,
        closes_at=closes_at,
        places=rng.integers(1, 25, count).astype(np.int16),
        appeal=appeal,
    )


def _choose_posters(
    rng: np.random.Generator, city: NDArray[np.int16], users: Users, posters: Posters
) -> NDArray[np.int32]:
    """A poster of the listing's city each, the active ones more often."""
    poster_city = users.city[posters.user]
    order = np.argsort(poster_city, kind="stable")
    bounds = np.concatenate([[0.0], np.cumsum(posters.activity[order])])
    sorted_city = poster_city[order]
    low = bounds[np.searchsorted(sorted_city, city, side="left")]
    high = bounds[np.searchsorted(sorted_city, city, side="right")]
    target = low + rng.random(len(city)) * (high - low)
    row = np.searchsorted(bounds, target, side="right") - 1
    return order[np.clip(row, 0, len(order) - 1)].astype(np.int32)


def _listing_tags(
    rng: np.random.Generator,
    topic: NDArray[np.int8],
    scene: NDArray[np.int8],
    manner: NDArray[np.integer],
) -> NDArray[np.int16]:
    """(n, 12): the topic, tags of its scene, a stray one or two, the manner, a second topic.

    One listing in four does not say which scene it is for: only those who came before tell.
    """
    count = len(topic)
    tags = np.full((count, MOST_TAGS), -1, dtype=np.int16)
    tags[:, 0] = topic
    says_scene = rng.random(count) >= 0.25
    for place, chance in enumerate((0.85, 0.7, 0.55)):
        tag = scene_tag(topic, scene, place)
        tags[:, 1 + place] = np.where(says_scene & (rng.random(count) < chance), tag, -1)
    # Every listing has two tags at least; what goes with every scene is the first one's.
    silent = (tags[:, 1:4] < 0).all(axis=1)
    tags[silent, 1] = scene_tag(topic[silent], np.zeros(1, dtype=np.int8), 0)
    for slot in (4, 5):
        other_scene = (scene + rng.integers(1, SCENE_COUNT, count)) % SCENE_COUNT
        place = rng.integers(0, 3, count)
        tag = scene_tag(topic, other_scene, 0) + place
        tags[:, slot] = np.where(rng.random(count) < 0.3, tag, -1)
    has_manner = (manner >= 0) & (rng.random(count) < 0.8)
    tags[:, 6] = np.where(has_manner, FIRST_MANNER_TAG + manner, -1)
    has_second = rng.random(count) < 0.15
    second = (topic // GROUP_SIZE) * GROUP_SIZE + rng.integers(0, GROUP_SIZE, count)
    tags[:, 7] = np.where(has_second, second, -1)
    for slot in range(4):
        tag = scene_tag(second, scene, 0) + slot % 3
        tags[:, 8 + slot] = np.where(has_second & (rng.random(count) < 0.4), tag, -1)
    return _distinct(tags)


def _distinct(tags: NDArray[np.int16]) -> NDArray[np.int16]:
    """Each row with every tag once, the present ones first, in ascending order."""
    ordered = np.sort(tags, axis=1)[:, ::-1].copy()
    ordered[:, 1:][ordered[:, 1:] == ordered[:, :-1]] = -1
    return np.sort(ordered, axis=1)[:, ::-1]


class _Shelves:
    """Listings in shelves by a key, oldest first on each, to draw from by time and appeal."""

    def __init__(
        self, key: NDArray[np.int64], created_at: NDArray[np.int64], appeal: NDArray[np.float64]
    ) -> None:
        self._order = np.lexsort((created_at, key))
        self._place = (key * _SPAN + (created_at - _ORIGIN))[self._order]
        self._bounds = np.concatenate([[0.0], np.cumsum(appeal[self._order])])

    def draw(
        self,
        rng: np.random.Generator,
        key: NDArray[np.int64],
        at: NDArray[np.int64],
        window: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """A listing of shelf `key` made in (at - window, at] each; -1 where there is none."""
        # In the order of the shelves: searching for neighbours is many times faster.
        place = key * _SPAN + (at - _ORIGIN)
        order = np.argsort(place)
        place = place[order]
        since = np.maximum(place - window[order], key[order] * _SPAN)
        low = np.searchsorted(self._place, since, side="right")
        high = np.searchsorted(self._place, place, side="right")
        start, stop = self._bounds[low], self._bounds[high]
        target = start + rng.random(len(key)) * (stop - start)
        row = np.clip(np.searchsorted(self._bounds, target, side="right") - 1, low, high - 1)
        listing = np.empty(len(key), dtype=np.int64)
        listing[order] = np.where(high > low, self._order[np.maximum(row, 0)], -1)
        return listing


_ORIGIN = END - LONGEST_WINDOW - DAY
_SPAN = LONGEST_WINDOW + 2 * DAY

# Share of exposures by where they come from: in town by taste, in town by chance, remote by
# taste, a neighbouring town by taste, anywhere by chance.
_SOURCES = np.array([0.56, 0.16, 0.08, 0.12, 0.08])

# By the hour of the day, UTC.
_DAILY_RHYTHM = np.array(
    [2, 1, 1, 1, 1, 2, 4, 7, 8, 7, 6, 6, 8, 8, 6, 6, 7, 9, 11, 13, 13, 11, 7, 4], dtype=float
)


def _make_events(
    rng: np.random.Generator,
    size: Scale,
    shares: NDArray[np.float64],
    users: Users,
    posters: Posters,
    listings: Listings,
) -> Events:
    """Exactly size.interactions events: exposures, and the funnel of each."""
    chooser = _Chooser(rng, size, shares, users, posters, listings)
    wanted = int(size.interactions / 1.25)
    exposures = chooser.exposures(wanted)
    while True:
        steps = _funnel(rng, exposures, users, posters, listings)
        event_count = int(steps.sum())
        if event_count >= size.interactions:
            break
        lacking = int((size.interactions - event_count) / 1.1) + 100
        exposures = _merge(exposures, chooser.exposures(lacking))
    steps = _trim(rng, steps, size.interactions)
    return _unroll(rng, exposures, steps, listings.ends_at())


@dataclass(frozen=True)
class _Exposures:
    """Who was shown what and when; a pair's rows are in time order and next to each other."""

    user: NDArray[np.int32]
    listing: NDArray[np.int32]
    at: NDArray[np.int64]
    km: NDArray[np.float32]
    """NaN for remote listings."""


def _ordered(user: NDArray, listing: NDArray, at: NDArray, km: NDArray) -> _Exposures:
    """By pair and time; a pair is shown once in ten minutes."""
    order = np.lexsort((at, listing, user))
    user, listing, at, km = user[order], listing[order], at[order], km[order]
    is_new = np.ones(len(user), dtype=bool)
    is_new[1:] = (
        (user[1:] != user[:-1]) | (listing[1:] != listing[:-1]) | (at[1:] - at[:-1] > HOUR // 6)
    )
    return _Exposures(user[is_new], listing[is_new], at[is_new], km[is_new])


def _merge(some: _Exposures, more: _Exposures) -> _Exposures:
    return _ordered(
        *(
            np.concatenate([getattr(some, f), getattr(more, f)])
            for f in ("user", "listing", "at", "km")
        )
    )


class _Chooser:
    """Draws exposures: who looks, when, and at what."""

    CHUNK = 2_000_000

    def __init__(
        self,
        rng: np.random.Generator,
        size: Scale,
        shares: NDArray[np.float64],
        users: Users,
        posters: Posters,
        listings: Listings,
    ) -> None:
        self._rng = rng
        self._users = users
        self._posters = posters
        self._listings = listings
        # Heavy-tailed activity, capped; one user in twenty never does anything.
        activity = np.minimum(rng.lognormal(0.0, 1.0, size.users), 12.0)
        activity[rng.random(size.users) < 0.05] = 0
        presence = (END - np.maximum(users.created_at, START)) / (END - START)
        self._user_bounds = np.cumsum(activity * presence)
        self._user_bounds /= self._user_bounds[-1]
        self._taste_bounds = np.cumsum(users.taste, axis=1, dtype=np.float64)
        centres = np.array([(lat, lon) for _, lat, lon in CITIES[: size.cities]])
        km = distance_km(
            centres[:, None, 0], centres[:, None, 1], centres[None, :, 0], centres[None, :, 1]
        )
        nearness = shares[None, :] * np.exp(-km / 60)
        np.fill_diagonal(nearness, 0)
        self._neighbor_bounds = np.cumsum(nearness, axis=1)
        self._neighbor_bounds /= self._neighbor_bounds[:, -1:]
        # Remote listings stand on shelves of their own, behind the last city.
        self._remote = size.cities
        city = np.where(listings.city == REMOTE, self._remote, listings.city).astype(np.int64)
        by_topic = city * TOPIC_COUNT + listings.topic
        made = (listings.created_at, listings.appeal)
        self._town_topic = _Shelves(by_topic, *made)
        self._town = _Shelves(city, *made)
        self._everywhere = _Shelves(np.zeros(len(listings), dtype=np.int64), *made)
        self._ends_at = listings.ends_at()

    def exposures(self, count: int) -> _Exposures:
        """About `count` of them, never fewer."""
        parts: list[tuple[NDArray, ...]] = []
        have = 0
        while have < count:
            part = self._chunk(min(self.CHUNK, int((count - have) * 2.2) + 1000))
            parts.append(part)
            have += len(part[0])
        return _ordered(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def _chunk(self, count: int) -> tuple[NDArray, ...]:
        rng, users, listings = self._rng, self._users, self._listings
        user = np.searchsorted(self._user_bounds, np.sort(rng.random(count)), side="right")
        user = np.minimum(user, len(users) - 1).astype(np.int32)
        at = self._instants(user)
        source = rng.choice(len(_SOURCES), count, p=_SOURCES)
        # Most look at what is new; the window is drawn, so that the age of what they see decays.
        window = ((0.3 + rng.exponential(11.0, count)) * DAY).astype(np.int64)

        listing = np.full(count, -1, dtype=np.int64)
        home = users.city[user].astype(np.int64)
        topic = self._topics(user)
        town = home.copy()
        town[source == 2] = self._remote
        away = source == 3
        town[away] = _draw_rows(rng, self._neighbor_bounds, home[away])
        for shelves, rows, key in (
            (self._town_topic, (source == 0) | (source == 2) | away, town * TOPIC_COUNT + topic),
            (self._town, source == 1, home),
            (self._everywhere, source == 4, np.zeros(count, dtype=np.int64)),
        ):
            listing[rows] = shelves.draw(rng, key[rows], at[rows], window[rows])

        is_possible = (listing >= 0) & (at >= START) & (at < END)
        user, listing, at = user[is_possible], listing[is_possible], at[is_possible]
        km = distance_km(
            users.home_lat[user], users.home_lon[user], listings.lat[listing], listings.lon[listing]
        )
        nearness = np.where(np.isnan(km), 0.5, np.exp(-np.nan_to_num(km) / 18))
        is_my_scene = users.scene[user, listings.topic[listing]] == listings.scene[listing]
        likes_topic = users.taste[user, listings.topic[listing]] > 0
        chance = (0.25 + 0.75 * nearness) * np.where(likes_topic & is_my_scene, 1.0, 0.4)
        is_own = self._posters.user[listings.poster[listing]] == user
        is_seen = (rng.random(len(user)) < chance) & (at < self._ends_at[listing]) & ~is_own
        return (
            user[is_seen],
            listing[is_seen].astype(np.int32),
            at[is_seen],
            km[is_seen].astype(np.float32),
        )

    def _instants(self, user: NDArray[np.int32]) -> NDArray[np.int64]:
        """When a user looks: any day since joining, at the hours when people look."""
        rng = self._rng
        count = len(user)
        since = np.maximum(self._users.created_at[user], START)
        at = since + (rng.random(count) * (END - since)).astype(np.int64)
        hour = rng.choice(24, count, p=_DAILY_RHYTHM / _DAILY_RHYTHM.sum())
        at = at - at % DAY + hour * HOUR + rng.integers(0, HOUR // 1000, count) * 1000
        return np.where(at < since, -1, at)

    def _topics(self, user: NDArray[np.int32]) -> NDArray[np.int64]:
        return _draw_rows(self._rng, self._taste_bounds, user)


def _draw_rows(rng: np.random.Generator, bounds: NDArray[np.float64], row: NDArray) -> NDArray:
    """A column each, by the cumulated shares of row `row`."""
    flat = (bounds + np.arange(len(bounds))[:, None] * 2).ravel()
    target = row * 2 + rng.random(len(row)) * bounds[row, -1]
    return np.searchsorted(flat, target, side="right") - row.astype(np.int64) * bounds.shape[1]


def _funnel(
    rng: np.random.Generator,
    exposures: _Exposures,
    users: Users,
    posters: Posters,
    listings: Listings,
) -> NDArray[np.bool_]:
    """(n, 6): which of TYPES an exposure leads to.

    After an application or a dismissal the pair is over, and nobody saves twice.
    """
    user, listing = exposures.user, exposures.listing
    count = len(user)
    topic = listings.topic[listing]
    taste = users.taste[user, topic]
    likes_topic = taste > 0
    in_scene = likes_topic & (users.scene[user, topic] == listings.scene[listing])
    quality = posters.quality[listings.poster[listing]]
    nearness = np.where(np.isnan(exposures.km), 0.6, np.exp(-np.nan_to_num(exposures.km) / 20))
    appeal = np.log(listings.appeal[listing])

    interest = (
        -3.0
        + 0.9 * likes_topic
        + 1.0 * in_scene
        + 0.8 * taste
        + 1.2 * nearness
        + 2.0 * (quality - 0.5)
        + 0.25 * appeal
    )
    click = rng.random(count) < _logistic(interest)
    save = click & (rng.random(count) < _logistic(-2.2 + 0.5 * (interest + 1)))
    apply = click & (rng.random(count) < _logistic(-2.0 + 0.7 * (interest + 1)))
    share = click & (rng.random(count) < 0.06)
    dismiss = ~click & (rng.random(count) < 0.16 * _logistic(-1.2 - 1.5 * (interest + 1.2)))
    # Some are dismissed from the list, without a look.
    view = ~dismiss | (rng.random(count) < 0.6)
    steps = np.zeros((count, len(TYPES)), dtype=bool)
    for number, step in (
        (VIEW, view),
        (CLICK, click),
        (APPLY, apply),
        (SAVE, save),
        (SHARE, share),
        (DISMISS, dismiss),
    ):
        steps[:, number] = step

    starts = np.ones(count, dtype=bool)
    starts[1:] = (user[1:] != user[:-1]) | (listing[1:] != listing[:-1])
    steps[_came_before(steps[:, APPLY] | steps[:, DISMISS], starts)] = False
    steps[_came_before(steps[:, SAVE], starts), SAVE] = False
    return steps


def _came_before(happens: NDArray[np.bool_], starts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether it happened on an earlier row of the same run; `starts` marks first rows."""
    before = np.cumsum(happens) - happens
    first = np.maximum.accumulate(np.where(starts, np.arange(len(starts)), 0))
    return before > before[first]


def _logistic(x: NDArray) -> NDArray:
    return 1 / (1 + np.exp(-x))


def _trim(rng: np.random.Generator, steps: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Steps, dropped by whole exposures at random until exactly `count` are left.

    Of the last exposure only the first steps stay.
    """
    order = rng.permutation(len(steps))
    total = np.cumsum(steps.sum(axis=1)[order])
    kept = int(np.searchsorted(total, count, side="right"))
    trimmed = np.zeros_like(steps)
    trimmed[order[:kept]] = steps[order[:kept]]
    lacking = count - (int(total[kept - 1]) if kept else 0)
    if lacking:
        last = order[kept]
        trimmed[last, np.flatnonzero(steps[last])[:lacking]] = True
    return trimmed


def _unroll(
    rng: np.random.Generator,
    exposures: _Exposures,
    steps: NDArray[np.bool_],
    ends_at: NDArray[np.int64],
) -> Events:
    """One row an event, in time order.

    The steps of an exposure follow within minutes, but never after the listing's or the
    world's end.
    """
    row, kind = np.nonzero(steps)
    delay = np.array([0, 8, 150, 40, 70, 5])[kind] * SECOND * (0.5 + rng.random(len(row)))
    at = exposures.at[row] + (delay // 1000).astype(np.int64) * 1000
    at = np.minimum(at, np.minimum(ends_at[exposures.listing[row]], END) - 1000)
    is_view = kind == VIEW
    stays = np.where(steps[row, CLICK], 3.6, 1.9)
    seconds = np.where(is_view, np.clip(rng.lognormal(stays, 0.7), 1, 1800), -1).astype(np.int32)
    order = np.lexsort((kind, row, at))
    row, kind = row[order], kind[order]
    return Events(
        user=exposures.user[row],
        listing=exposures.listing[row],
        type=kind.astype(np.int8),
        created_at=at[order],
        seconds=seconds[order],
    )


# Feeds whose rows were recorded: how many rows are looked at, and how many feeds are told because
# somebody clicked on a row, or looked at one.
_MEAN_DEPTH = 12
_MOST_DEPTH = 40
_CLICKED_FEEDS = 0.42
_VIEWED_FEEDS = 0.18
_FEED_WINDOW = 21 * DAY


def _make_impressions(
    rng: np.random.Generator,
    size: Scale,
    users: Users,
    posters: Posters,
    listings: Listings,
    events: Events,
) -> Impressions:
    """size.impressions rows of feeds, each given shortly before something that the user did.

    Two in five feeds hold what the user clicked next, more often so towards the end: the feed
    gets better. A fifth hold what the user looked at next; of the others nothing came. What
    stands around it is fresh and in town. The higher, the likelier to be clicked; the lower, the
    fewer scroll so far.
    """
    # Rows are lost where a town has too little to show: more feeds than rows need.
    feed_count = int(size.impressions / _MEAN_DEPTH * 2.5) + 10
    anchor, is_shown = _anchors(rng, feed_count, events)
    feed_count = len(anchor)
    user = events.user[anchor]
    at = _feed_times(rng, anchor, users, listings, events)
    profile = (user % 5 == 0).astype(np.int8)

    # Whoever has the feed of another profile finds less in it.
    is_shown &= (profile == 0) | (rng.random(feed_count) < 0.75)
    depth = np.minimum(rng.geometric(1 / _MEAN_DEPTH, feed_count), _MOST_DEPTH)
    anchor_slot = 1 + np.floor(depth * rng.random(feed_count) ** 1.8).astype(np.int64)

    feed = np.repeat(np.arange(feed_count), depth)
    slot = np.arange(len(feed)) - np.repeat(np.cumsum(depth) - depth, depth) + 1
    is_anchor = is_shown[feed] & (slot == anchor_slot[feed])
    listing = _fillers(rng, size, users, listings, user[feed], at[feed])
    listing[is_anchor] = events.listing[anchor[feed[is_anchor]]]
    is_possible = listing >= 0
    is_possible[is_possible] &= (
        at[feed[is_possible]] < listings.ends_at()[listing[is_possible]]
    ) & (posters.user[listings.poster[listing[is_possible]]] != user[feed[is_possible]])
    is_possible |= is_anchor
    feed, slot, listing = feed[is_possible], slot[is_possible], listing[is_possible]
    is_anchor = is_anchor[is_possible]

    # A listing stands in a feed once; where the anchor is one of two, it stays.
    order = np.lexsort((slot, ~is_anchor, listing, feed))
    feed, slot, listing = feed[order], slot[order], listing[order]
    is_new = np.ones(len(feed), dtype=bool)
    is_new[1:] = (feed[1:] != feed[:-1]) | (listing[1:] != listing[:-1])
    order = np.flatnonzero(is_new)
    order = order[np.lexsort((slot[order], feed[order]))][: size.impressions]
    feed, listing = feed[order], listing[order]
    position = np.arange(len(feed)) - np.searchsorted(feed, feed) + 1

    best = 0.5 + 0.35 * rng.random(feed_count)
    order = np.lexsort((position, user[feed], at[feed]))
    feed, listing, position = feed[order], listing[order], position[order]
    return Impressions(
        user=user[feed],
        listing=listing.astype(np.int32),
        position=position.astype(np.int32),
        profile=profile[feed],
        score=np.round(best[feed] * 0.985 ** (position - 1), 9),
        created_at=at[feed],
    )


def _anchors(
    rng: np.random.Generator, feed_count: int, events: Events
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Rows of events that feeds were given before, in random order, and whether they showed it."""
    clicks = rng.permutation(np.flatnonzero(events.type == CLICK))
    progress = (events.created_at[clicks] - START) / (END - START)
    clicks = clicks[rng.random(len(clicks)) < 0.35 + 0.65 * progress]
    clicks = clicks[: int(feed_count * _CLICKED_FEEDS)]
    views = rng.permutation(np.flatnonzero(events.type == VIEW))[: feed_count - len(clicks)]
    is_shown = np.ones(len(clicks) + len(views), dtype=bool)
    is_shown[len(clicks) + int(feed_count * _VIEWED_FEEDS) :] = False
    order = rng.permutation(len(is_shown))
    return np.concatenate([clicks, views])[order], is_shown[order]


def _feed_times(
    rng: np.random.Generator,
    anchor: NDArray[np.int64],
    users: Users,
    listings: Listings,
    events: Events,
) -> NDArray[np.int64]:
    """Up to five minutes before the anchor, but not before there was all that is shown."""
    before = ((10 + 290 * rng.random(len(anchor))) * SECOND).astype(np.int64)
    earliest = np.maximum(
        listings.created_at[events.listing[anchor]], users.created_at[events.user[anchor]]
    )
    earliest = np.maximum(earliest, START)
    return np.minimum(
        np.maximum(events.created_at[anchor] - before, earliest), events.created_at[anchor]
    )


def _fillers(
    rng: np.random.Generator,
    size: Scale,
    users: Users,
    listings: Listings,
    user: NDArray[np.int32],
    at: NDArray[np.int64],
) -> NDArray[np.int64]:
    """A fresh listing of the user's town each, one in ten remote; -1 where there is none."""
    shelf = np.where(listings.city == REMOTE, size.cities, listings.city).astype(np.int64)
    shelves = _Shelves(shelf, listings.created_at, listings.appeal)
    is_remote = rng.random(len(user)) < 0.1
    key = np.where(is_remote, size.cities, users.city[user]).astype(np.int64)
    return shelves.draw(rng, key, at, np.full(len(user), _FEED_WINDOW))
