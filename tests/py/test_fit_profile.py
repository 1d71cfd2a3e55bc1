"""jobs.fit_profile: made-up impressions in which something is to be found, or nothing."""

from datetime import timedelta

import numpy as np
import psycopg
import pytest

from harness import Instance

COMPONENTS = 7
CONTENT = 6
DEFAULT = np.array([0.25, 0.20, 0.15, 0.10, 0.10, 0.10, 0.10])
USERS = 150
PAGES = 8
ROWS = 10
LISTINGS = 400

SHOW = """
insert into feed.feed_impressions (
    ticket, user_uid, listing_id, position, score, profile_name, created_at, components
)
select
    'made by a test', u.user_uid, l.listing_id, s.position, 0.5, 'default',
    now() - s.age, s.components
from shown as s
inner join feed.users as u using (user_no)
inner join feed.listings as l using (listing_no)
"""
CLICK = """
insert into feed.user_interactions (user_uid, listing_id, type, created_at)
select u.user_uid, l.listing_id, 'click', now() - s.age + interval '1 minute'
from shown as s
inner join feed.users as u using (user_no)
inner join feed.listings as l using (listing_no)
where s.is_clicked
"""


@pytest.fixture
def fitting(scratch: psycopg.Connection) -> psycopg.Connection:
    """Users and listings, a month of partitions."""
    scratch.execute("select feed.ensure_partitions(now() - interval '1 month', now())")
    scratch.execute(
        """
        insert into feed.users (user_uid) select gen_random_uuid() from generate_series(1, %s)
        """,
        (USERS,),
    )
    scratch.execute(
        "insert into feed.listings (title) select 'a' from generate_series(1, %s)", (LISTINGS,)
    )
    scratch.execute(
        """
        create temporary table shown (
            user_no integer, listing_no integer, position integer, age interval,
            components real[], is_clicked boolean
        )
        """
    )
    return scratch


def make_history(
    connection: psycopg.Connection, taste: np.ndarray, position_effect: float, seed: int = 1
) -> None:
    """Pages of ten, ordered by default, over four weeks; choices follow taste and position.

    taste: (components,) what a whole unit of each adds to the log-odds of a click
    position_effect: what ln(position) takes from them
    """
    rng = np.random.default_rng(seed)
    users, listings = (
        [number for (number,) in connection.execute(query)]
        for query in ("select user_no from feed.users", "select listing_no from feed.listings")
    )
    with connection.cursor().copy("copy shown from stdin") as copy:
        for user in users:
            for _ in range(PAGES):
                age = timedelta(days=float(rng.uniform(0.1, 27.5)))
                values = rng.uniform(size=(ROWS, COMPONENTS)).astype(np.float32)
                values = values[np.argsort(-(values @ DEFAULT))]
                shown = rng.choice(listings, ROWS, replace=False)
                position = np.arange(1, ROWS + 1)
                odds = values @ taste - position_effect * np.log(position) - taste.sum() / 2
                clicked = rng.uniform(size=ROWS) < 1 / (1 + np.exp(-odds))
                for row in range(ROWS):
                    copy.write_row(
                        (
                            user,
                            int(shown[row]),
                            int(position[row]),
                            age,
                            values[row].tolist(),
                            bool(clicked[row]),
                        )
                    )
    connection.execute(SHOW)
    connection.execute(CLICK)


def fit(connection: psycopg.Connection) -> tuple[int, dict]:
    connection.execute("call jobs.fit_profile()")
    return connection.execute(
        "select rows, details from jobs.runs where job = 'fit_profile' order by run_id desc limit 1"
    ).fetchone()


def profiles(connection: psycopg.Connection) -> list[str]:
    query = "select profile_name from feed.ranking_profiles order by profile_name"
    return [name for (name,) in connection.execute(query)]


def taste(**likings: float) -> np.ndarray:
    names = ["location", "tag", "engagement", "recency", "poster", "collaborative", "content"]
    return np.array([likings.get(name, 0.0) for name in names])


def test_what_drives_choices_is_found_behind_positions(fitting: psycopg.Connection) -> None:
    """Users click for content, and far more on what stands first, which default put there."""
    make_history(fitting, taste(content=4), position_effect=1)
    rows, details = fit(fitting)
    assert rows == 1, details
    name = details["profile_name"]
    (today,) = fitting.execute(
        "select to_char(now() at time zone 'UTC', '\"learned_\"YYYYMMDD')"
    ).fetchone()
    assert name == today
    assert profiles(fitting) == ["default", name]
    content, location, others, evaluation, is_offered = fitting.execute(
        """
        select p.content_weight, p.location_weight, to_jsonb(p), p.evaluation, p.is_offered
        from feed.ranking_profiles as p where p.profile_name = %s
        """,
        (name,),
    ).fetchone()
    assert content > 0.7
    # What stood first was clicked, and location put it there: without positions it would count.
    assert location < 0.1
    assert is_offered
    judged = evaluation["log_likelihood"]["default"]
    assert 0 < judged["low"] < judged["value"] < judged["high"]
    assert judged["learned"] == pytest.approx(judged["opponent"] + judged["value"], abs=1e-5)
    assert evaluation["impressions"] == USERS * PAGES * ROWS
    assert evaluation["source"] == "impressions"
    assert 0 < evaluation["held_out_users"] <= USERS
    # All else is as in default.
    (default,) = fitting.execute(
        "select to_jsonb(p) from feed.ranking_profiles as p where p.profile_name = 'default'"
    ).fetchone()
    different = {key for key in default if default[key] != others[key]}
    assert {key for key in different if not key.endswith("_weight")} <= {
        *("profile_name", "created_at", "evaluation"),
    }
    # Fitted again on the same impressions it is no better than what is there.
    rows, details = fit(fitting)
    assert rows == 0
    assert name in details["because"]
    assert profiles(fitting) == ["default", name]


def test_where_nothing_is_better_nothing_is_written(fitting: psycopg.Connection) -> None:
    """Only the position decides what is clicked: default looks excellent, and no weights matter."""
    make_history(fitting, taste(), position_effect=2)
    rows, details = fit(fitting)
    assert rows == 0
    assert details["profile_name"] is None
    assert "better" in details["because"], details
    assert profiles(fitting) == ["default"]


def test_what_default_weighs_right_stays(fitting: psycopg.Connection) -> None:
    make_history(fitting, 12 * DEFAULT, position_effect=1)
    rows, details = fit(fitting)
    assert rows == 0, details
    assert profiles(fitting) == ["default"]


def test_too_little_is_said_and_not_fitted(fitting: psycopg.Connection) -> None:
    rows, details = fit(fitting)
    assert (rows, details["impressions"]) == (0, 0)
    assert "0 users chose something before the held-out days" in details["because"]
    make_history(fitting, taste(content=4), position_effect=1)
    fitting.execute("update ml.fit_parameters set least_user_count = 100000")
    rows, details = fit(fitting)
    assert rows == 0
    assert "and 100000 are asked for" in details["because"]
    # Impressions of before the components were logged.
    fitting.execute("update ml.fit_parameters set least_user_count = 2")
    fitting.execute("update feed.feed_impressions set components = null")
    rows, details = fit(fitting)
    assert (rows, details["impressions"]) == (0, 0)


def test_no_more_is_read_than_allowed(fitting: psycopg.Connection) -> None:
    make_history(fitting, taste(content=4), position_effect=1)
    fitting.execute("update ml.fit_parameters set impression_limit = 1000")
    _, details = fit(fitting)
    assert details["impressions"] == 1000


def test_a_component_that_is_seldom_known_gets_no_weight(fitting: psycopg.Connection) -> None:
    """As one is that default does not compute."""
    make_history(fitting, taste(content=4), position_effect=1)
    # Not in half of them: users' location has weight in default, so nothing can be said of it.
    fitting.execute(
        """
        update feed.feed_impressions set components[1] = null where position > 3
        """
    )
    rows, details = fit(fitting)
    assert rows == 0
    assert details["because"] == "impressions do not say enough of what default weighs"
    # A few that lack one are left out, and the others are fitted.
    fitting.execute(
        """
        update feed.feed_impressions
        set components[1] = case when position > 9 then null else 0.5 end
        """
    )
    rows, details = fit(fitting)
    assert rows == 1, details
    assert details["not_used"] == [
        name
        for name in ("poster_affinity", "item_similarity")
        if name in fitting.execute("select feed.component_names()").fetchone()[0]
    ]


def test_the_same_impressions_give_the_same_profile(
    fitting: psycopg.Connection, instance: Instance
) -> None:
    make_history(fitting, taste(content=4, tag=2), position_effect=1)
    found = []
    for _ in range(2):
        rows, details = fit(fitting)
        assert rows == 1, details
        (profile,) = fitting.execute(
            "select to_jsonb(p) from feed.ranking_profiles as p where p.profile_name = %s",
            (details["profile_name"],),
        ).fetchone()
        found.append({key: value for key, value in profile.items() if key.endswith("_weight")})
        fitting.execute(
            "delete from feed.ranking_profiles where profile_name = %s", (details["profile_name"],)
        )
    assert found[0] == found[1]
