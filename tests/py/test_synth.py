"""The synthetic world: always the same, with the structure that its page describes."""

import csv
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psycopg
import pytest

from harness import REPOSITORY, Instance
from pgfeed import csv_layout, synth, synth_staging
from pgfeed.synth import (
    APPLY,
    CLICK,
    DAY,
    DISMISS,
    END,
    NEVER,
    REMOTE,
    SAVE,
    SCALES,
    SHARE,
    START,
    TYPES,
    VIEW,
    World,
)
from pgfeed.synth_vocabulary import CITIES, TAGS, TOPICS


@pytest.fixture(scope="module")
def small() -> World:
    return synth.make_world("small")


@pytest.fixture(scope="module", params=["tiny", "small"])
def world(request: pytest.FixtureRequest, small: World) -> World:
    return small if request.param == "small" else synth.make_world("tiny")


def arrays(world: World) -> Iterator[tuple[str, np.ndarray]]:
    for part in ("users", "posters", "listings", "events", "impressions"):
        for name, values in vars(getattr(world, part)).items():
            yield f"{part}.{name}", values


# --- always the same --------------------------------------------------------------------------


def test_the_same_seed_is_the_same_world() -> None:
    first, second = synth.make_world("tiny", 7), synth.make_world("tiny", 7)
    for (name, some), (_, same) in zip(arrays(first), arrays(second), strict=True):
        np.testing.assert_array_equal(some, same, err_msg=name)


def test_another_seed_and_another_scale_share_no_id(small: World) -> None:
    worlds = [synth.make_world("tiny", 1), synth.make_world("tiny", 2), small]
    ids = [uid for w in worlds for part in (w.users, w.listings) for uid in map(bytes, part.uid)]
    assert len(set(ids)) == len(ids)


def test_event_ids_are_those_of_the_csv_layout() -> None:
    world = synth.make_world("tiny")
    ids = synth_staging.EventNamer(world).ids(world.events)
    assert len({bytes(event_id) for event_id in ids}) == len(world.events)
    users = synth_staging.uuid_texts(world.users.uid)
    listings = synth_staging.uuid_texts(world.listings.uid)
    for row in (0, 1, 777, len(world.events) - 1):
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            microseconds=int(world.events.created_at[row])
        )
        expected = csv_layout.event_id(
            users[world.events.user[row]],
            listings[world.events.listing[row]],
            TYPES[world.events.type[row]],
            at,
        )
        assert str(uuid.UUID(bytes=bytes(ids[row]))) == expected


# --- structure --------------------------------------------------------------------------------


def test_it_has_the_size_of_its_scale(world: World) -> None:
    size = SCALES[world.scale]
    assert (len(world.users), len(world.listings), len(world.events)) == size[1:4]


def test_the_largest_city_has_8_percent_and_the_others_follow(world: World) -> None:
    counts = np.bincount(world.users.city, minlength=SCALES[world.scale].cities)
    assert counts[0] / len(world.users) == pytest.approx(0.08, abs=0.005)
    assert counts.argmax() == 0
    assert counts.min() >= 1
    placed = world.listings.city[world.listings.city != REMOTE]
    assert np.mean(placed == 0) == pytest.approx(0.08, abs=0.01)


def test_places_stand_around_their_cities(world: World) -> None:
    centres = np.array([(lat, lon) for _, lat, lon in CITIES])[world.users.city]
    km = synth.distance_km(world.users.home_lat, world.users.home_lon, centres[:, 0], centres[:, 1])
    assert np.median(km) < 15
    assert km.max() < 120


def test_some_are_nowhere(world: World) -> None:
    is_remote = world.listings.city == REMOTE
    assert 0.05 <= is_remote.mean() <= 0.10
    np.testing.assert_array_equal(np.isnan(world.listings.lat), is_remote)
    np.testing.assert_array_equal(np.isnan(world.listings.lon), is_remote)
    assert 0.02 <= np.mean(~world.users.has_location) <= 0.10


def test_listings_have_2_to_12_tags_that_belong_together(world: World) -> None:
    tags = world.listings.tags
    counts = (tags >= 0).sum(axis=1)
    assert counts.min() >= 2
    assert counts.max() <= 12
    assert (tags == world.listings.topic[:, None]).any(axis=1).all()
    # a tag of the scene is many times likelier beside its topic than elsewhere
    kiln, pottery = TAGS.index("kiln"), TAGS.index("pottery")
    has_kiln = (tags == kiln).any(axis=1)
    has_pottery = (tags == pottery).any(axis=1)
    assert has_kiln[has_pottery].mean() > 20 * has_kiln[~has_pottery].mean()


def test_some_say_what_they_like_and_some_do_not(world: World) -> None:
    preferred, blocked = world.users.preferred_tags, world.users.blocked_tags
    assert 0.4 <= (preferred >= 0).any(axis=1).mean() <= 0.7
    assert 0.02 <= (blocked >= 0).any(axis=1).mean() <= 0.15
    assert 0.1 <= np.mean(~np.isnan(world.users.max_distance)) <= 0.3
    # nobody blocks what they prefer
    for wanted, unwanted in zip(preferred, blocked, strict=True):
        assert not set(wanted[wanted >= 0]) & set(unwanted[unwanted >= 0])


def test_posters_keep_the_constraints(world: World) -> None:
    posters = world.posters
    assert (posters.completed_count <= posters.accepted_count).all()
    assert (np.isnan(posters.average_rating) == (posters.rating_count == 0)).all()
    rated = posters.average_rating[posters.rating_count > 0]
    assert rated.min() >= 1 and rated.max() <= 5
    poster_cities = np.unique(world.users.city[posters.user])
    assert len(poster_cities) == SCALES[world.scale].cities


def test_listings_come_go_and_stay(world: World) -> None:
    listings = world.listings
    assert (np.diff(listings.created_at) >= 0).all()
    assert listings.created_at.max() <= END
    assert (listings.ends_at() > listings.created_at).all()
    assert 0.7 <= np.mean(listings.ends_at() > END) <= 0.85
    assert np.mean(listings.expires_at <= END) > 0.1
    assert np.mean(listings.closes_at <= END) > 0.05
    assert np.mean(listings.expires_at == NEVER) > 0.5


def test_nothing_happens_before_creation_or_after_the_end(world: World) -> None:
    events, listings = world.events, world.listings
    at = events.created_at
    assert at.min() >= START and at.max() < END
    assert END - at.max() < DAY
    assert (np.diff(at) >= 0).all()
    assert (at >= listings.created_at[events.listing]).all()
    assert (at < listings.ends_at()[events.listing]).all()
    assert (at >= world.users.created_at[events.user]).all()


def test_nobody_acts_on_their_own_listings(world: World) -> None:
    poster = world.posters.user[world.listings.poster[world.events.listing]]
    assert (poster != world.events.user).all()


def test_the_funnel_narrows(world: World) -> None:
    counts = np.bincount(world.events.type, minlength=len(TYPES))
    assert counts[VIEW] > 2 * counts[CLICK]
    assert counts[CLICK] > 2 * counts[APPLY]
    assert counts[CLICK] > 2 * counts[SAVE]
    assert counts[SAVE] > counts[SHARE] > 0
    assert counts[DISMISS] > 0
    seconds = world.events.seconds
    np.testing.assert_array_equal(seconds >= 0, world.events.type == VIEW)


def test_a_pair_is_over_after_an_application_or_a_dismissal(world: World) -> None:
    events = world.events
    is_last = np.isin(events.type, (APPLY, DISMISS))
    pair = events.user.astype(np.int64) * len(world.listings) + events.listing
    pairs, counts = np.unique(pair[is_last], return_counts=True)
    assert counts.max() == 1
    over_at = dict(
        zip(
            pairs.tolist(),
            events.created_at[is_last][np.argsort(pair[is_last], kind="stable")].tolist(),
            strict=True,
        )
    )
    # what follows belongs to the same visit: it is there within minutes
    for one_pair, at in zip(pair[-5000:].tolist(), events.created_at[-5000:].tolist(), strict=True):
        assert at - over_at.get(one_pair, at) < 10 * 60 * 1_000_000


def test_activity_and_popularity_have_heavy_tails(world: World) -> None:
    for who, count in (
        (world.events.user, len(world.users)),
        (world.events.listing, len(world.listings)),
    ):
        volume = np.sort(np.bincount(who, minlength=count))[::-1]
        assert volume[: count // 10].sum() > 0.28 * len(world.events)
    assert np.mean(np.bincount(world.events.user, minlength=len(world.users)) == 0) > 0.02


def test_people_act_near_home_on_what_they_like(world: World) -> None:
    events, users, listings = world.events, world.users, world.listings
    is_same_city = users.city[events.user] == listings.city[events.listing]
    assert is_same_city.mean() > 0.6
    taste = users.taste[events.user, listings.topic[events.listing]]
    assert np.mean(taste > 0) > 5 * np.mean(users.taste > 0)


def test_quality_draws_clicks(small: World) -> None:
    events = small.events
    quality = small.posters.quality[small.listings.poster[events.listing]]
    low, high = np.quantile(quality, (0.25, 0.75))

    def clicks_a_view(is_wanted: np.ndarray) -> float:
        types = events.type[is_wanted]
        return np.sum(types == CLICK) / np.sum(types == VIEW)

    assert clicks_a_view(quality >= high) > 1.5 * clicks_a_view(quality <= low)
    rated = small.posters.rating_count > 5
    rating = small.posters.average_rating[rated]
    assert np.corrcoef(rating, small.posters.quality[rated])[0, 1] > 0.8


def test_alike_users_choose_alike(small: World) -> None:
    """What two users of a city with the same first topic both clicked, beside other pairs."""
    users, events = small.users, small.events
    first_topic = users.taste.argmax(axis=1)
    clicked: dict[int, set[int]] = {}
    for user, listing in zip(
        events.user[events.type == CLICK].tolist(),
        events.listing[events.type == CLICK].tolist(),
        strict=True,
    ):
        clicked.setdefault(user, set()).add(listing)
    rng = np.random.default_rng(1)
    here = [user for user in np.flatnonzero(users.city == 0).tolist() if user in clicked]
    alike, other = [], []
    for a, b in rng.choice(here, (40_000, 2)).tolist():
        if a != b:
            shared = len(clicked[a] & clicked[b])
            (alike if first_topic[a] == first_topic[b] else other).append(shared)
    assert np.mean(alike) > 4 * np.mean(other)


def test_feeds_are_given_before_what_comes_of_them(world: World) -> None:
    shown, listings = world.impressions, world.listings
    assert len(shown) == SCALES[world.scale].impressions
    assert (np.diff(shown.created_at) >= 0).all()
    assert shown.created_at.min() >= START and shown.created_at.max() < END
    assert (shown.created_at >= world.users.created_at[shown.user]).all()
    assert (shown.created_at >= listings.created_at[shown.listing]).all()
    assert (shown.created_at < listings.ends_at()[shown.listing]).all()
    assert (world.posters.user[listings.poster[shown.listing]] != shown.user).all()
    assert shown.score.min() > 0 and shown.score.max() < 1
    # A feed is a user and a time: positions from 1 without gaps, no listing twice, one profile.
    feeds: dict[tuple[int, int], list[int]] = {}
    for row, feed in enumerate(zip(shown.user.tolist(), shown.created_at.tolist(), strict=True)):
        feeds.setdefault(feed, []).append(row)
    for rows in feeds.values():
        assert shown.position[rows].tolist() == list(range(1, len(rows) + 1))
        assert len(set(shown.listing[rows].tolist())) == len(rows)
        assert len(set(shown.profile[rows].tolist())) == 1
        assert (np.diff(shown.score[rows]) < 0).all()


def test_what_is_shown_is_clicked_the_more_the_higher_it_stands(world: World) -> None:
    shown, events = world.impressions, world.events
    clicks: dict[tuple[int, int], list[int]] = {}
    is_click = events.type == CLICK
    for user, listing, at in zip(
        events.user[is_click].tolist(),
        events.listing[is_click].tolist(),
        events.created_at[is_click].tolist(),
        strict=True,
    ):
        clicks.setdefault((user, listing), []).append(at)
    is_clicked = np.array(
        [
            any(at <= click <= at + DAY for click in clicks.get((user, listing), ()))
            for user, listing, at in zip(
                shown.user.tolist(), shown.listing.tolist(), shown.created_at.tolist(), strict=True
            )
        ]
    )
    assert 0.03 < is_clicked.mean() < 0.12
    assert is_clicked[shown.position <= 3].mean() > 1.5 * is_clicked[shown.position > 8].mean()
    assert is_clicked[shown.profile == 0].mean() > 1.1 * is_clicked[shown.profile == 1].mean()
    late = shown.created_at > END - 30 * DAY
    assert is_clicked[late].mean() > 1.1 * is_clicked[~late].mean()


def test_titles_can_be_read(world: World) -> None:
    texts = list(synth_staging.texts_of(world.listings.take(slice(200))))
    topics = world.listings.topic[:200].tolist()
    for (title, description, _), topic in zip(texts, topics, strict=True):
        assert any(noun.lower() in title.lower() for noun in TOPICS[topic].nouns)
        assert title[0].isupper() and len(title) < 100
        assert description.endswith(".")


def test_hold_out_splits_at_an_instant() -> None:
    world = synth.make_world("tiny")
    past, held_out = synth.hold_out(world, 10)
    until = END - 10 * DAY
    assert past.until == until
    assert past.listings.created_at.max() <= until < held_out.created_at.min()
    assert past.events.created_at.max() <= until
    assert past.events.listing.max() < len(past.listings)
    assert past.impressions.created_at.max() <= until
    assert past.impressions.listing.max() < len(past.listings)
    assert held_out.listing.max() < len(past.listings)
    later = np.sum(world.events.created_at > until)
    assert 0.3 * later < len(held_out) < later


# --- in the database --------------------------------------------------------------------------


def synthesize(
    instance: Instance, database: str, *arguments: str | Path
) -> subprocess.CompletedProcess:
    done = subprocess.run(
        [sys.executable, "-m", "pgfeed", *map(str, arguments)],
        env=instance.environment
        | {"PGDATABASE": database, "PYTHONPATH": str(REPOSITORY / "python")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_it_loads_and_ends_now_and_twice_is_once(
    instance: Instance, scratch_name: str, scratch: psycopg.Connection
) -> None:
    done = synthesize(instance, scratch_name, "synth", "--scale", "tiny")
    assert "2,000 listings, 20,000 interactions, 20,000 impressions in " in done.stdout

    def facts() -> tuple:
        return scratch.execute(
            """
            select
                (select count(*) from feed.users),
                (select count(*) from feed.posters),
                (select md5(string_agg(l::text, '' order by l.listing_no)) from feed.listings as l),
                (select md5(string_agg(i::text, '' order by i.event_id))
                    from feed.user_interactions as i),
                (select md5(string_agg(m::text, '' order by m.listing_id))
                    from feed.engagement_metrics as m),
                (select md5(string_agg(i::text, '' order by i.ticket, i.user_uid))
                    from feed.feed_impressions as i),
                (select count(*) from analytics.stale_days)
            """
        ).fetchone()

    before = facts()
    assert before[:2] == (200, 24)
    newest, first = scratch.execute(
        "select now() - max(created_at), max(created_at) - min(created_at) "
        "from feed.user_interactions"
    ).fetchone()
    assert newest < timedelta(minutes=1)
    assert timedelta(days=89) < first < timedelta(days=90)
    assert scratch.execute(
        """
        select count(*) from feed.user_interactions as i
        inner join feed.listings as l using (listing_id)
        where i.created_at < l.created_at or i.created_at >= l.expires_at
        """
    ).fetchone() == (0,)
    counters = "listing_id, view_count, click_count, apply_count, save_count, share_count"
    assert (
        scratch.execute(f"select {counters} from feed.engagement_metrics order by 1").fetchall()
        == scratch.execute(f"select {counters} from feed.expected_engagement order by 1").fetchall()
    )

    done = synthesize(instance, scratch_name, "synth", "--scale", "tiny")
    assert done.stdout.startswith("synth: 20,000 interactions known already in ")
    assert facts() == before


def test_held_out_interactions_can_be_loaded_later(
    instance: Instance, scratch_name: str, scratch: psycopg.Connection, tmp_path: Path
) -> None:
    held_out = tmp_path / "interactions.csv"
    synthesize(
        *(instance, scratch_name, "synth", "--holdout", "30"),
        *("--holdout-file", held_out),
    )
    with held_out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["user_uid", "listing_id", "type", "ts", "seconds"]
    times = [datetime.fromisoformat(row["ts"]) for row in rows]
    newest = scratch.execute("select max(created_at) from feed.user_interactions").fetchone()[0]
    assert newest < min(times)
    assert timedelta(days=29) < max(times) - newest < timedelta(days=31)
    known = scratch.execute(
        "select count(*) from feed.listings where listing_id = any(%s)",
        [[row["listing_id"] for row in rows]],
    ).fetchone()[0]
    assert known == len({row["listing_id"] for row in rows})


# --- can be ranked ----------------------------------------------------------------------------

MEASURED_USERS = 16


class Held(NamedTuple):
    """A user and the listings they clicked, saved or applied to afterwards."""

    user_uid: str
    listings: set[str]


@pytest.fixture(scope="module")
def ranked_world(
    instance: Instance, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[psycopg.Connection, list[Held]]]:
    """A small world told up to a week before its end, trained on, and what came then."""
    held_out = tmp_path_factory.mktemp("synth") / "held-out.csv"
    with instance.scratch_database(template) as name, instance.connect(name) as connection:
        synthesize(
            *(instance, name, "synth", "--scale", "small", "--holdout", "7"),
            *("--holdout-file", held_out),
        )
        synthesize(instance, name, "train")
        chosen: dict[str, set[str]] = {}
        with held_out.open(newline="") as file:
            for row in csv.DictReader(file):
                if row["type"] in ("click", "save", "apply"):
                    chosen.setdefault(row["user_uid"], set()).add(row["listing_id"])
        users = sorted(chosen)
        np.random.default_rng(1).shuffle(users)
        held: list[Held] = []
        for user in users:
            new = connection.execute(
                """
                select array_agg(l.listing_id::text)
                from feed.listings as l
                where
                    l.listing_id = any(%(chosen)s::uuid[])
                    and l.status = 'open'
                    and (l.expires_at is null or l.expires_at > now())
                    and not exists (
                        select
                        from feed.user_listing_states as s
                        inner join feed.users as u using (user_no)
                        where u.user_uid = %(user)s and s.listing_no = l.listing_no
                    )
                """,
                {"chosen": list(chosen[user]), "user": user},
            ).fetchone()[0]
            if new:
                held.append(Held(user, set(new)))
            if len(held) == MEASURED_USERS:
                break
        yield connection, held


@pytest.mark.slow
def test_the_default_profile_finds_twice_what_popularity_finds(
    ranked_world: tuple[psycopg.Connection, list[Held]],
) -> None:
    connection, held = ranked_world
    popular = [
        row[0]
        for row in connection.execute(
            """
            select m.listing_id::text
            from feed.engagement_metrics as m
            inner join feed.listings as l using (listing_id)
            where l.status = 'open' and (l.expires_at is null or l.expires_at > now())
            order by
                m.view_count + m.click_count + m.save_count + m.apply_count + m.share_count desc,
                m.listing_id
            limit 2000
            """
        )
    ]

    def recall(shown: list[str], one: Held) -> float:
        return len(set(shown[:20]) & one.listings) / len(one.listings)

    ours, theirs = [], []
    for one in held:
        touched = {
            row[0]
            for row in connection.execute(
                """
                select l.listing_id::text
                from feed.user_listing_states as s
                inner join feed.users as u using (user_no)
                inner join feed.listings as l using (listing_no)
                where u.user_uid = %s
                """,
                [one.user_uid],
            )
        }
        feed = [
            row[0]
            for row in connection.execute(
                """
                select s.listing_id::text
                from feed.score_listings(%s) as s
                order by s.score desc, s.created_at desc, s.listing_id
                limit 2000
                """,
                [one.user_uid],
            )
        ]
        ours.append(recall([listing for listing in feed if listing not in touched], one))
        theirs.append(recall([listing for listing in popular if listing not in touched], one))
    print(f"recall@20: default {np.mean(ours):.3f}, popularity {np.mean(theirs):.3f}")
    assert np.mean(ours) >= 2 * np.mean(theirs)
    assert np.mean(ours) >= 0.05
