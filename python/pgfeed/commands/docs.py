"""pgfeed docs: the pages of docs/ that are made from the database."""

import os
from pathlib import Path

import click
import psycopg

from pgfeed.manual.made import made_pages
from pgfeed.manual.pages import all_blocks, summary


@click.command()
def docs() -> None:
    """Write the reference and the dictionary from the comments in the instance's database."""
    repository = Path(os.environ["PGFEED_REPOSITORY"])
    with psycopg.connect() as connection:
        made = made_pages(connection, repository)
    for name, text in made.items():
        page = repository / name
        is_new = not page.exists() or page.read_text() != text
        page.write_text(text)
        click.echo(f"docs: {name} {'written' if is_new else 'is current'}")
    click.echo(summary(all_blocks(repository)))
