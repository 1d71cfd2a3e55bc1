"""pgfeed coverage: whom and what the feed reaches, also where nobody has looked at it yet."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click
import numpy as np
import psycopg

from pgfeed.coverage import expected_distinct
from pgfeed.progress import Stages

SESSIONS = 2

REACHED = """
select r.measure, r.covered_count, r.total_count, t.target
from analytics.reach(now()) as r
inner join analytics.targets as t using (measure)
order by r.measure
"""

SAMPLE = """
select array_agg(s.user_uid), (select count(*) from feed.users)
from (
    select u.user_uid
    from feed.users as u
    order by hashtextextended(u.user_uid::text, %s), u.user_uid
    limit %s
) as s
"""

FEED = "select f.listing_id from api.get_feed(%s, %s) as f"


@click.command()
@click.option("--users", type=click.IntRange(2), default=1000, show_default=True, help="To ask.")
@click.option("--rows", type=click.IntRange(1, 200), default=50, show_default=True, help="A feed.")
@click.option("--seed", type=int, default=1, show_default=True, help="Which users.")
def coverage(users: int, rows: int, seed: int) -> None:
    """Count users and listings that are reached, one JSON object a line.

    What analytics.coverage has, and beside it what needs no impressions: the feeds of some users
    are asked for now, and from the listings in them follows how many are in anybody's
    (listings_in_feeds; with as many --users as there are it is counted).
    """
    stages = Stages("coverage")
    try:
        with psycopg.connect(autocommit=True, application_name="pgfeed coverage") as connection:
            reached = connection.execute(REACHED).fetchall()
            sample, total_users = connection.execute(SAMPLE, (seed, users)).fetchone()
        for measure in reached:
            click.echo(line(*measure))
        (open_count, target) = next(row[2:] for row in reached if row[0] == "listings_shown")
        sample = sample or []
        with stages.stage(f"asking {len(sample):,} feeds", len(sample)) as advance:
            counts = Counter(listing for feed in feeds(sample, rows, advance) for listing in feed)
    except psycopg.Error as error:
        raise click.ClickException(str(error).strip()) from None
    found = np.array(list(counts.values()), dtype=np.int64)
    of_all = min(expected_distinct(found, len(sample), total_users), open_count)
    asked = {"asked": len(sample), "users": total_users, "rows": rows}
    click.echo(line("listings_in_sampled_feeds", len(counts), open_count, None, **asked))
    click.echo(line("listings_in_feeds", round(of_all), open_count, target, **asked))


def feeds(users: list[Any], rows: int, advance: Any) -> Iterator[list[Any]]:
    """The listings of each user's feed, in some order of the users."""

    def ask(some: list[Any]) -> list[list[Any]]:
        with psycopg.connect(autocommit=True, application_name="pgfeed coverage") as connection:
            connection.execute("set role service_role")
            found = []
            for user in some:
                found.append([row[0] for row in connection.execute(FEED, (user, rows))])
                advance(1)
            return found

    with ThreadPoolExecutor(SESSIONS) as pool:
        for part in pool.map(ask, [users[start::SESSIONS] for start in range(SESSIONS)]):
            yield from part


def line(measure: str, covered: int, total: int, target: float | None, **more: int) -> str:
    """One measure as JSON, in the words of analytics.coverage."""
    share = covered / total if total else None
    return json.dumps(
        {
            "measure": measure,
            "covered_count": covered,
            "total_count": total,
            "share": share and round(share, 4),
            "target": target,
            "is_met": None if share is None or target is None else share >= target,
            **more,
        }
    )
