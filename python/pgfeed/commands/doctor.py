"""pgfeed doctor: is everything well, and if not, what to do."""

import json
import sys

import click

from pgfeed.doctor import examine


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def doctor(as_json: bool) -> None:
    """Check the instance; the exit status is 1 when something is wrong."""
    results = examine()
    for result in results:
        if as_json:
            click.echo(json.dumps(result.as_dict()))
        else:
            state = "ok    " if result.is_ok else "WRONG "
            remedy = "" if result.remedy is None else f"  ->  {result.remedy}"
            click.echo(f"{state} {result.check:<11} {result.finding}{remedy}")
    sys.exit(0 if all(result.is_ok for result in results) else 1)
