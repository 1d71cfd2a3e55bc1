"""pgfeed feed: one user's feed through the gateway, as a table."""

from typing import Any

import click
import psycopg
from rich import box
from rich.console import Console
from rich.table import Table

from pgfeed.components import COMPONENTS
from pgfeed.instance import Instance, signed_token

# Somebody whom the feed can know: active, with a home, and not opted out.
SOMEBODY = """
    select u.user_uid
    from feed.users as u
    left join feed.user_feed_preferences as p using (user_uid)
    left join feed.user_listing_states as s using (user_no)
    where coalesce(p.personalization_enabled, true)
    group by u.user_uid
    order by u.location is null, abs(count(s.listing_no) - 20), u.user_uid
    limit 1
"""


def somebody() -> str:
    """A user with a location and about twenty listings seen."""
    with psycopg.connect() as connection:
        row = connection.execute(SOMEBODY).fetchone()
    if row is None:
        raise click.ClickException("there are no users yet; run: make synth SCALE=tiny")
    return str(row[0])


def headings(rows: list[dict[str, Any]]) -> dict[str, str]:
    """A column for each component that the profile weighs: four letters of its last word."""
    return {
        name: name.rpartition("_")[2][:4]
        for name in COMPONENTS
        if any(name in row["components"] for row in rows)
    }


def feed_table(rows: list[dict[str, Any]]) -> Table:
    """The feed with what each component contributed, in points of a hundred."""
    components = headings(rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("#", justify="right")
    table.add_column("listing", max_width=34)
    table.add_column("km", justify="right")
    table.add_column("score", justify="right", style="bold")
    for heading in components.values():
        table.add_column(heading, justify="right")
    table.add_column("why", overflow="fold")
    for row in rows:
        distance = row["distance_km"]
        parts = (row["components"].get(name, {}).get("contribution") for name in components)
        table.add_row(
            str(row["rank"]),
            row["title"],
            "" if distance is None else f"{distance:.1f}",
            f"{row['score']:.3f}",
            *("" if part is None else f"{100 * part:.1f}" for part in parts),
            row["reason"],
        )
    return table


@click.command()
@click.argument("user_uid", type=click.UUID, required=False)
@click.option("--limit", type=click.IntRange(1, 200), default=10, show_default=True)
def feed(user_uid: object | None, limit: int) -> None:
    """Print the feed of USER_UID (or of somebody active), through the gateway."""
    instance = Instance.from_environment()
    user = str(user_uid) if user_uid is not None else somebody()
    token = signed_token(instance.secret, user)
    rows = instance.get("/api/v1/feed", token, user_uid=user, limit=limit)

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print(f"Feed of user {user}: {len(rows)} listings, best first")
    if rows:
        console.print(feed_table(rows))
        first, *_, last = headings(rows).values()
        console.print(f"Columns {first} to {last}: points of a hundred from each component.")
    console.print(f'\nTry:  curl -H "Authorization: Bearer $(make -s token USER_UID={user})" \\')
    console.print(f'           "{instance.url}/api/v1/feed?user_uid={user}&limit=50"')
